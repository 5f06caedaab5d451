import { setTimeout as delay } from 'node:timers/promises';
import type { RoomName } from '@skirmish/protocol';
import { parseRoom, Rejection, roomOf } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { logRetentionMs, sessionTtlMs } from '@skirmish/redis';
import type { ConnectAnswer, ConnectOperation, DirectoryOperation, ResumeAnswer } from './directory-operations.ts';
import type { DirectoryReply } from './directory-script.ts';
import { directoryScript } from './directory-script.ts';
import type { OwnParty } from './own-party.ts';
import type { Done, Waiting } from './directory-waiting.ts';
import { answerKeyOf, refuse, repairOf, unasked } from './directory-waiting.ts';
import type { RoomBeliefOptions, RoomChange } from './room-belief.ts';
import { RoomBelief } from './room-belief.ts';

/** A registered connection: the realm-clock id before which it needs no event, the user's sockets when there are too many, what became of its wish to resume, and its party. */
export interface Registered {
  position: string;
  crowd: string[] | null;
  resume: ResumeAnswer | null;
  party: OwnParty | null;
}

export interface DirectoryOptions extends RoomBeliefOptions {
  redis: Redis;
  keys: RealmKeys;
  incarnation: () => string;
  /** Realm-clock id up to which the inbox has been dealt with. */
  position: () => string;
  socketsPerUserMax: number;
  resumeWindowMs: number;
  onDead: () => void;
  onError: (error: unknown) => void;
}

const batchMax = 200;
const retryDelayMs = 100;

/**
 * Keeps this incarnation's entries in the directory true: the one serialised writer of its rooms, sockets and seats.
 *
 * One batch is under way at a time; what arrives meanwhile goes with the next one. Room entries follow what is true when the batch is
 * made, and are absolute, so a lost reply or a double write changes nothing.
 */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #rooms: RoomBelief;
  #waiting: Waiting[] = [];
  #pending = new Map<string, readonly RoomName[]>();
  #revision = 0;
  #acknowledged = 0;
  #generation = 0;
  #writing: Promise<void> | null = null;
  #open = false;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#rooms = new RoomBelief(options);
  }

  /** The newest revision that Redis has confirmed. */
  get revision(): number {
    return this.#acknowledged;
  }

  get size(): { rooms: number; pending: number; waiting: number } {
    return { rooms: this.#rooms.size, pending: this.#pending.size, waiting: this.#waiting.length };
  }

  /** Forgets what Redis was believed to hold; call before a registration. Unfinished connections are refused. */
  close(): void {
    this.#open = false;
    this.#generation += 1;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pending.clear();
    this.#rooms.reset();
    refuse(waiting);
  }

  /** Begins to write, for a registration that stands at `revision`. */
  open(revision: number): void {
    // Never back: a batch that is still on its way from before must not pass for a newer one.
    this.#revision = Math.max(this.#revision, revision);
    this.#acknowledged = revision;
    this.#open = true;
    this.#write();
  }

  /** Registers a connection and its rooms in one step. Rejects with `server/unavailable`; the outcome is undone then. */
  async connect(operation: ConnectOperation): Promise<Registered> {
    if (!this.#open) throw new Rejection('server/unavailable');
    const rooms = operation.rooms as RoomName[];
    this.#pending.set(operation.socketId, rooms);
    this.#rooms.expect(rooms);
    const { position, crowd, answer } = await this.#ask(operation);
    const { resume = null, party = null } = (answer as ConnectAnswer | undefined) ?? {};
    return { position, crowd, resume, party };
  }

  /** Enters further rooms for the sake of a connection that is not complete. */
  async widen(socketId: string, rooms: readonly RoomName[]): Promise<void> {
    const before = this.#pending.get(socketId);
    if (!before) throw new Rejection('server/unavailable');
    this.#pending.set(socketId, [...before, ...rooms]);
    this.#rooms.expect(rooms);
    await this.#ask({ op: 'enter', socketId, rooms: [...rooms] });
  }

  /** Takes a place in a room, unless it has `max` users; answers whether there was one. */
  async reserve(socketId: string, room: RoomName, max: number): Promise<boolean> {
    return (await this.#ask({ op: 'reserve', socketId, room, max })).answer === true;
  }

  /** Writes what nobody waits for, after everything that was asked before. Nothing is written while this gateway is not registered. */
  note(operation: Extract<DirectoryOperation, { op: 'moved' | 'renew' | 'touch' }>): void {
    if (!this.#open) return;
    this.#waiting.push(unasked(operation));
    this.#write();
  }

  /** An emission lets a connection that is not complete join these rooms. */
  expect(socketId: string, rooms: readonly RoomName[]): void {
    const before = this.#pending.get(socketId);
    if (!before) return;
    this.#pending.set(socketId, [...before, ...rooms]);
    this.#rooms.expect(rooms);
  }

  /** The connection is complete, or will never be: its rooms count no longer as having a member for its sake. */
  settle(socketId: string): void {
    const rooms = this.#pending.get(socketId);
    if (!rooms) return;
    this.#pending.delete(socketId);
    this.#rooms.release(rooms);
    this.#write();
  }

  /** `resumable`: its session is kept for the resume window. */
  disconnect(socketId: string, resumable: boolean): void {
    this.settle(socketId);
    this.#waiting.push(unasked({ op: 'disconnect', socketId, resumable }));
    this.#write();
  }

  /** Moves the seat of a socket's character; resolves when the rosters say so. */
  async seat(socketId: string, zoneKey: string, status: string): Promise<void> {
    await this.#ask({ op: 'seat', socketId, zoneKey, status });
  }

  /** Looks at a room whose membership here may have changed. */
  touch(room: RoomName): void {
    this.#rooms.touch(room);
    this.#write();
  }

  /** An emission has entered these rooms for this incarnation; look whether somebody is in them. */
  entered(rooms: readonly string[]): void {
    const kept = rooms.filter((name) => parseRoom(name) !== null) as RoomName[];
    this.#rooms.entered(kept);
    for (const room of kept) this.touch(room);
  }

  /** Removes entries whose last member has been gone for long enough; call it about once a second. */
  tick(now = performance.now()): void {
    this.#rooms.tick(now);
    this.#write();
  }

  /** Resolves when everything known so far has been written, or given up. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #ask(operation: DirectoryOperation): Promise<Done> {
    if (!this.#open) return Promise.reject(new Rejection('server/unavailable'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, resolve, reject });
      this.#write();
    });
  }

  get #hasWork(): boolean {
    return this.#open && (this.#waiting.length > 0 || !this.#rooms.isSettled);
  }

  #write(): void {
    if (this.#writing || !this.#hasWork) return;
    this.#writing = this.#drain().finally(() => {
      this.#writing = null;
      // What arrived in the very last turn.
      this.#write();
    });
  }

  async #drain(): Promise<void> {
    // Everything of the same turn goes in one batch.
    await Promise.resolve();
    while (this.#hasWork) {
      const taken = this.#waiting.splice(0, batchMax);
      const rooms = this.#rooms.changes(batchMax, performance.now());
      if (taken.length + rooms.length > 0) await this.#send(taken, rooms);
    }
  }

  async #send(taken: Waiting[], rooms: RoomChange[]): Promise<void> {
    const { redis, keys, incarnation, position, socketsPerUserMax, resumeWindowMs: windowMs } = this.#options;
    const generation = this.#generation;
    this.#revision += 1;
    const revision = this.#revision;
    // Room changes first: a removal that was decided before a connection must not undo what the connection adds.
    const operations = JSON.stringify([...rooms, ...taken.map(({ operation }) => operation)]);
    try {
      const times = [sessionTtlMs(windowMs), windowMs, logRetentionMs(windowMs)] as const;
      const args = [keys.prefix, incarnation(), revision, socketsPerUserMax, operations, position(), ...times] as const;
      const reply = await directoryScript.run(redis, [keys.clock], args);
      if (generation !== this.#generation || reply.state === 'dead') {
        refuse(taken);
        if (reply.state === 'dead') this.#options.onDead();
        return;
      }
      this.#succeed(reply, revision, taken, rooms);
    } catch (error) {
      this.#options.onError(error);
      if (generation === this.#generation) this.#doubt(taken, rooms);
      refuse(taken);
      await delay(retryDelayMs);
    }
  }

  #succeed(reply: Extract<DirectoryReply, { state: 'ok' }>, revision: number, taken: Waiting[], rooms: RoomChange[]): void {
    this.#acknowledged = revision;
    for (const { op, room } of rooms) {
      if (op === 'add' || reply.kept.has(room)) this.#rooms.entered([room]);
      else this.#rooms.removed(room);
      if (reply.kept.has(room)) this.#rooms.touch(room);
    }
    for (const { operation, resolve } of taken) {
      if ('rooms' in operation) this.#rooms.entered(operation.rooms);
      const answer = reply.answers.get(answerKeyOf(operation));
      if (operation.op === 'connect') this.#enterKnown(operation.socketId, answer as ConnectAnswer | undefined);
      const crowd = operation.op === 'connect' ? (reply.crowds.get(operation.socketId) ?? null) : null;
      resolve({ position: reply.clock, crowd, answer });
    }
  }

  /** A resume and a party bring rooms along that only Redis knew of. */
  #enterKnown(socketId: string, { resume, party }: ConnectAnswer = {}): void {
    const open = Object.entries(resume?.resumed ? resume.rooms : {}).filter(([, stays]) => stays.at(-1)?.[1] === '');
    const rooms = [...open.map(([room]) => room as RoomName), ...(party ? [roomOf.party(party.id)] : [])];
    if (rooms.length === 0) return;
    this.expect(socketId, rooms);
    this.#rooms.entered(rooms);
  }

  /** The outcome is unknown: what must be true in the end is written again; who waits is refused by the caller. */
  #doubt(taken: Waiting[], rooms: RoomChange[]): void {
    this.#rooms.doubt(rooms.map(({ room }) => room));
    const again: Waiting[] = [];
    for (const { operation } of taken) {
      if ('rooms' in operation) this.#rooms.doubt(operation.rooms);
      if (operation.op === 'connect') this.settle(operation.socketId);
      const repair = repairOf(operation, this.#options.position());
      if (repair) again.push(unasked(repair));
    }
    this.#waiting.unshift(...again);
  }
}
