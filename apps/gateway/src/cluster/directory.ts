import { setTimeout as delay } from 'node:timers/promises';
import type { RoomName } from '@skirmish/protocol';
import { parseRoom, Rejection } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import type { DirectoryOperation, DirectoryReply } from './directory-script.ts';
import { directoryScript } from './directory-script.ts';

type Connect = Extract<DirectoryOperation, { op: 'connect' }>;

/** A registered connection: the realm-clock id before which it needs no event, and the user's sockets when there are too many. */
export interface Registered {
  position: string;
  crowd: string[] | null;
}

export interface DirectoryOptions {
  redis: Redis;
  keys: RealmKeys;
  incarnation: () => string;
  /** Whether a local socket is in the room now. */
  hasMembers: (room: RoomName) => boolean;
  socketsPerUserMax: number;
  /** How long an entry outlives its last member, milliseconds: a player who comes straight back costs nothing. */
  lingerMs: number;
  onDead: () => void;
  onError: (error: unknown) => void;
}

interface Waiting {
  operation: DirectoryOperation;
  resolve: (registered: Registered) => void;
  reject: (error: Error) => void;
}

const batchMax = 200;
const ignore = (): void => undefined;

/**
 * Keeps this incarnation's entries in the directory true: the one serialised writer of its rooms, sockets and seats.
 *
 * - One batch is under way at a time; what arrives meanwhile goes with the next one.
 * - Room entries follow what is true when the batch is made, so a lost reply or a double write changes nothing.
 * - Connections that are not complete yet count as members.
 */
export class Directory {
  readonly #options: DirectoryOptions;
  #waiting: Waiting[] = [];
  #dirty = new Set<RoomName>();
  #believed = new Set<RoomName>();
  #lingering = new Map<RoomName, number>();
  #pending = new Map<string, readonly RoomName[]>();
  #pendingRooms = new Map<RoomName, number>();
  #revision = 0;
  #acknowledged = 0;
  #generation = 0;
  #writing: Promise<void> | null = null;
  #open = false;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** The newest revision that Redis has confirmed. */
  get revision(): number {
    return this.#acknowledged;
  }

  get size(): { rooms: number; pending: number; waiting: number } {
    return { rooms: this.#believed.size, pending: this.#pending.size, waiting: this.#waiting.length };
  }

  /** Forgets what Redis was believed to hold; call before a registration. Unfinished connections are refused. */
  close(): void {
    this.#open = false;
    this.#generation += 1;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pending.clear();
    this.#pendingRooms.clear();
    this.#lingering.clear();
    for (const room of this.#believed) this.#dirty.add(room);
    this.#believed.clear();
    for (const { reject } of waiting) reject(new Rejection('server/unavailable'));
  }

  /** Begins to write, for a registration that stands at `revision`. */
  open(revision: number): void {
    this.#revision = revision;
    this.#acknowledged = revision;
    this.#open = true;
    this.#write();
  }

  /** Registers a connection and its rooms in one step. Rejects with `server/unavailable`; the outcome is undone then. */
  connect(operation: Connect): Promise<Registered> {
    if (!this.#open) return Promise.reject(new Rejection('server/unavailable'));
    const rooms = operation.rooms as RoomName[];
    this.#pending.set(operation.socketId, rooms);
    for (const room of rooms) this.#pendingRooms.set(room, (this.#pendingRooms.get(room) ?? 0) + 1);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, resolve, reject });
      this.#write();
    });
  }

  /** The connection is complete, or will never be: its rooms count no longer as having a member for its sake. */
  settle(socketId: string): void {
    const rooms = this.#pending.get(socketId);
    if (!rooms) return;
    this.#pending.delete(socketId);
    for (const room of rooms) {
      const left = (this.#pendingRooms.get(room) ?? 1) - 1;
      if (left > 0) this.#pendingRooms.set(room, left);
      else this.#pendingRooms.delete(room);
      this.touch(room);
    }
  }

  isPending(socketId: string): boolean {
    return this.#pending.has(socketId);
  }

  disconnect(socketId: string): void {
    this.settle(socketId);
    this.#waiting.push({ operation: { op: 'disconnect', socketId }, resolve: ignore, reject: ignore });
    this.#write();
  }

  /** Moves the seat of a socket's character; resolves when the rosters say so. */
  seat(socketId: string, zoneKey: string, status: string): Promise<void> {
    if (!this.#open) return Promise.reject(new Rejection('server/unavailable'));
    return new Promise((resolve, reject) => {
      const done = (): void => {
        resolve();
      };
      this.#waiting.push({ operation: { op: 'seat', socketId, zoneKey, status }, resolve: done, reject });
      this.#write();
    });
  }

  /** Looks at a room whose membership here may have changed. */
  touch(room: RoomName): void {
    this.#dirty.add(room);
    this.#write();
  }

  /** Emissions of others have entered these rooms for this incarnation; look whether somebody is in them. */
  entered(rooms: readonly string[]): void {
    for (const name of rooms) {
      if (!parseRoom(name)) continue;
      this.#believed.add(name as RoomName);
      this.touch(name as RoomName);
    }
  }

  /** Removes entries whose last member left at least `lingerMs` ago; call it about once a second. */
  tick(now = performance.now()): void {
    for (const [room, since] of this.#lingering) {
      if (now - since < this.#options.lingerMs) continue;
      this.#dirty.add(room);
    }
    this.#write();
  }

  /** Resolves when everything known so far has been written, or given up. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #write(): void {
    if (this.#writing || !this.#open) return;
    if (this.#waiting.length === 0 && this.#dirty.size === 0) return;
    this.#writing = this.#drain().finally(() => {
      this.#writing = null;
      // What arrived in the very last turn.
      if (this.#open && (this.#waiting.length > 0 || this.#dirty.size > 0)) this.#write();
    });
  }

  async #drain(): Promise<void> {
    // Everything of the same turn goes in one batch.
    await Promise.resolve();
    while (this.#open && (this.#waiting.length > 0 || this.#dirty.size > 0)) {
      const taken = this.#waiting.splice(0, batchMax);
      const rooms = this.#reconcile(batchMax);
      if (taken.length + rooms.length === 0) continue;
      await this.#send(taken, rooms);
    }
  }

  /** The changes that make the directory say what is true now; empties lingering rooms only when their time is over. */
  #reconcile(max: number): Extract<DirectoryOperation, { room: string }>[] {
    const changes: Extract<DirectoryOperation, { room: string }>[] = [];
    const now = performance.now();
    for (const room of this.#dirty) {
      if (changes.length >= max) break;
      this.#dirty.delete(room);
      const wanted = this.#pendingRooms.has(room) || this.#options.hasMembers(room);
      const since = this.#lingering.get(room);
      if (wanted) {
        this.#lingering.delete(room);
        if (!this.#believed.has(room)) changes.push({ op: 'add', room });
      } else if (!this.#believed.has(room)) {
        this.#lingering.delete(room);
      } else if (since === undefined) {
        this.#lingering.set(room, now);
      } else if (now - since >= this.#options.lingerMs) {
        this.#lingering.delete(room);
        changes.push({ op: 'remove', room });
      }
    }
    return changes;
  }

  async #send(taken: Waiting[], rooms: Extract<DirectoryOperation, { room: string }>[]): Promise<void> {
    const { redis, keys, incarnation, socketsPerUserMax } = this.#options;
    const generation = this.#generation;
    this.#revision += 1;
    const revision = this.#revision;
    // Room changes first: a removal that was decided before a connection must not undo what the connection adds.
    const operations = JSON.stringify([...rooms, ...taken.map(({ operation }) => operation)]);
    try {
      const args = [keys.prefix, incarnation(), revision, socketsPerUserMax, operations] as const;
      const reply = await directoryScript.run(redis, [keys.clock], args);
      if (generation !== this.#generation) {
        this.#fail(taken);
        return;
      }
      if (reply.state === 'dead') this.#dead(taken);
      else this.#succeed(reply, revision, taken, rooms);
    } catch (error) {
      this.#options.onError(error);
      this.#retry(generation, taken, rooms);
      await delay(100);
    }
  }

  #succeed(reply: Extract<DirectoryReply, { state: 'ok' }>, revision: number, taken: Waiting[], rooms: { op: string; room: string }[]): void {
    this.#acknowledged = revision;
    for (const { op, room } of rooms) {
      if (op === 'add') this.#believed.add(room as RoomName);
      else this.#believed.delete(room as RoomName);
    }
    for (const { operation, resolve } of taken) {
      if (operation.op === 'connect') for (const room of operation.rooms) this.#believed.add(room as RoomName);
      const crowd = operation.op === 'connect' ? (reply.crowds.get(operation.socketId) ?? null) : null;
      resolve({ position: reply.clock, crowd });
    }
  }

  #dead(taken: Waiting[]): void {
    this.#fail(taken);
    this.#options.onDead();
  }

  #fail(taken: Waiting[]): void {
    for (const { reject } of taken) reject(new Rejection('server/unavailable'));
  }

  /** The outcome is unknown: callers who wait are refused, what must be true in the end is written again. */
  #retry(generation: number, taken: Waiting[], rooms: { op: string; room: string }[]): void {
    this.#fail(taken);
    if (generation !== this.#generation) return;
    for (const { op, room } of rooms) {
      if (op === 'remove') this.#lingering.set(room as RoomName, -Infinity);
      this.#dirty.add(room as RoomName);
    }
    const again: Waiting[] = [];
    for (const { operation } of taken) {
      if (operation.op === 'connect') {
        this.settle(operation.socketId);
        for (const room of operation.rooms) {
          this.#believed.add(room as RoomName);
          this.#dirty.add(room as RoomName);
        }
        again.push({ operation: { op: 'disconnect', socketId: operation.socketId }, resolve: ignore, reject: ignore });
      } else if (operation.op === 'disconnect') {
        again.push({ operation, resolve: ignore, reject: ignore });
      }
    }
    this.#waiting.unshift(...again);
  }
}
