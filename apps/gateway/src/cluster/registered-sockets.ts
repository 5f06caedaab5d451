import type { CharacterId, IncarnationId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { parseRoom, Rejection, roomOf } from '@skirmish/protocol';
import type { RealmKeys } from '@skirmish/redis';
import type { Socket } from 'socket.io';
import type { Directory } from './directory.ts';
import type { ResumeAnswer } from './directory-operations.ts';
import type { Standing } from './missed-events.ts';
import type { OwnParty } from './own-party.ts';
import type { Arrival, ConnectEntry } from './realm-transport-types.ts';
import type { Resumes, ResumeWish } from './resumes.ts';
import type { SocketFence } from './socket-fence.ts';

/** A connection that was registered but did not complete is given up after this time, milliseconds. */
const pendingMsMax = 15_000;

export interface RegisteredSocketsOptions {
  directory: Directory;
  fence: SocketFence;
  resumes: Resumes;
  keys: RealmKeys;
  incarnation: () => IncarnationId;
  readerPosition: () => string;
  socketsPerUserMax: number;
  /** Closes these sockets, wherever they are, because their user has newer ones. */
  closeSockets: (socketIds: string[]) => void;
  /** Ends the connection that continued a session until now. */
  cutOff: (before: { incarnation: string; socketId: string }) => void;
}

interface Registered {
  zone: ZoneId | null;
  since: number;
  complete: boolean;
  pid: string;
  sessionsKey: string;
  /** It goes on with an older session, which must not end with an attempt that fails. */
  continues: boolean;
  /** Clock of its registration. */
  position: string;
  /** Rooms that were registered for it, until it is settled. */
  rooms: RoomName[];
  /** Until it is settled. */
  wish: (ResumeWish & { freshPid: string }) | null;
}

/** The sockets of this gateway that Redis knows of, from before their CONNECT is answered until they are gone. */
export class RegisteredSockets {
  readonly #options: RegisteredSocketsOptions;
  readonly #sockets = new Map<string, Registered>();

  constructor(options: RegisteredSocketsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sockets.size;
  }

  entries(): IterableIterator<[socketId: string, session: { pid: string; sessionsKey: string }]> {
    return this.#sockets.entries();
  }

  /** Enters a connection and its rooms; every emission routed after the answered position reaches this gateway for it. */
  async connect(entry: ConnectEntry): Promise<{ position: string; party: OwnParty | null }> {
    const { directory, fence, keys } = this.#options;
    const { socketId, zone, pid } = entry;
    const known: Registered = { zone, since: performance.now(), complete: false, pid, sessionsKey: keys.sessionsOf(entry.userId), continues: false, position: '0-0', rooms: [...entry.rooms], wish: null };
    this.#sockets.set(socketId, known);
    // Only Redis knows all of its rooms: until it has answered every entry is kept.
    fence.open(socketId, null);
    try {
      const { position, crowd, resume, party } = await directory.connect(this.#operationOf(entry, known));
      known.position = position;
      if (party) known.rooms.push(roomOf.party(party.id));
      fence.admit(socketId, position);
      if (!entry.resume) fence.settle(socketId, known.rooms, []);
      else if (resume) this.#resume(known, entry.resume, position, resume, socketId);
      if (crowd) this.#closeOldest(crowd);
      return { position, party };
    } catch (error) {
      this.#sockets.delete(socketId);
      fence.forget(socketId);
      throw error;
    }
  }

  /** Enters further rooms of a connection that is not complete; what is emitted to them afterwards reaches it. */
  async widen(socketId: string, rooms: readonly RoomName[]): Promise<void> {
    this.#options.fence.widen(socketId, rooms);
    this.#sockets.get(socketId)?.rooms.push(...rooms);
    await this.#options.directory.widen(socketId, rooms);
  }

  /** Says what a connection will hear first and be in, by what the server knows now; the last step before its CONNECT. */
  async settle(socketId: string, rooms: readonly RoomName[], standing: (room: RoomName) => Standing): Promise<Arrival> {
    const { resumes, fence, directory } = this.#options;
    const wish = this.#sockets.get(socketId)?.wish ?? null;
    const outcome = wish && (await resumes.settle(wish, standing));
    const known = this.#sockets.get(socketId);
    if (!known) throw new Rejection('server/unavailable');
    known.wish = null;
    const all = outcome?.recovered ? [...new Set([...rooms, ...outcome.kept])] : rooms;
    fence.settle(socketId, all, outcome?.recovered ? outcome.events : []);
    this.#withdraw(socketId, known, new Set(all), outcome?.recovered ? outcome.lost : []);
    if (!wish || !outcome) return { rooms, resume: null };
    if (outcome.recovered) {
      const replay = { events: outcome.events.length, bytes: outcome.bytes };
      return { rooms: all, resume: { recovered: true, offset: wish.offset, connectedAtMs: outcome.connectedAtMs, replay } };
    }
    if (wish.answer.resumed) directory.note({ op: 'renew', socketId, pid: wish.freshPid, at: wish.position, rooms: [...rooms] });
    known.pid = wish.freshPid;
    known.continues = false;
    return { rooms, resume: { recovered: false, reason: outcome.reason } };
  }

  /** The socket was welcomed and is in its rooms: from now on the directory sees them itself. */
  complete(socket: Socket): void {
    const known = this.#sockets.get(socket.id);
    if (known) known.complete = true;
    // What it joins while it catches up counts as expected until then.
    this.#options.fence.complete(socket, this.#options.readerPosition, () => { this.#options.directory.settle(socket.id); });
  }

  /** A socket has joined or left a room at this position. What it joins while it completes is registered already. */
  moved(socketId: string, room: string, joined: boolean, at: string): void {
    if (!this.#sockets.get(socketId)?.complete || !parseRoom(room)) return;
    this.#options.directory.note({ op: 'moved', socketId, room, at, joined });
  }

  /** Takes a socket out of Redis; harmless for one that is not registered. `resumable`: its session is kept for the resume window. */
  leave(socketId: string, resumable: boolean): void {
    this.#options.fence.forget(socketId);
    if (this.#sockets.delete(socketId)) this.#options.directory.disconnect(socketId, resumable);
  }

  /** Gives up a connection that will not complete; what it wanted to resume stays. */
  abandon(socketId: string): void {
    this.leave(socketId, this.#sockets.get(socketId)?.continues ?? false);
  }

  /** Moves the seat of a socket's character into a zone, or out of the one it names. */
  async seat(socketId: string, zone: ZoneId | null, onlyFrom?: ZoneId): Promise<void> {
    const known = this.#sockets.get(socketId);
    if (onlyFrom !== undefined && known?.zone !== onlyFrom) return;
    await this.#options.directory.seat(socketId, zone === null ? '' : this.#options.keys.roster(zone), 'online');
    if (known) known.zone = zone;
  }

  /** Forgets everybody, because Redis has forgotten us. */
  reset(): void {
    this.#sockets.clear();
  }

  /** Gives up connections that were never completed. */
  expire(now = performance.now()): void {
    for (const [socketId, { complete, since }] of this.#sockets) {
      if (!complete && now - since > pendingMsMax) this.abandon(socketId);
    }
  }

  /**
   * Rooms of an earlier reading, or of the session, that it will not be in after all. Left where the registration stands and not where the reader
   * is: the record would pass for up to date with joins that still wait in the gate, and lose them with a connection that does not complete.
   */
  #withdraw(socketId: string, known: Registered, rooms: ReadonlySet<RoomName>, lost: readonly RoomName[]): void {
    const { position: at } = known;
    for (const room of new Set([...known.rooms, ...lost])) {
      if (!rooms.has(room)) this.#options.directory.note({ op: 'moved', socketId, room, at, joined: false });
    }
    known.rooms = [];
  }

  #operationOf(entry: ConnectEntry, { sessionsKey }: Registered): Parameters<Directory['connect']>[0] {
    const { keys } = this.#options;
    const { socketId, userId, characterId, zone, connectedAtMs, device, pid, resume } = entry;
    const zoneKey = zone === null || characterId === null ? '' : keys.roster(zone);
    const character: CharacterId | '' = characterId ?? '';
    const user: { userId: UserId; userKey: string } = { userId, userKey: keys.user(userId) };
    return { op: 'connect', socketId, rooms: [...entry.rooms], ...user, device, connectedAtMs, zoneKey, characterId: character, pid, sessionsKey, resume };
  }

  #resume(known: Registered, { pid, offset }: { pid: string; offset: string }, position: string, answer: ResumeAnswer, socketId: string): void {
    known.wish = { offset, position, answer, freshPid: known.pid };
    if (!answer.resumed) return;
    known.pid = pid;
    known.continues = true;
    if (answer.before.socketId !== socketId) this.#options.cutOff(answer.before);
  }

  #closeOldest(crowd: string[]): void {
    const sockets: { socketId: string; connectedAtMs: number }[] = [];
    for (let i = 0; i + 1 < crowd.length; i += 2) {
      const record = JSON.parse(crowd[i + 1] ?? '{}') as { connectedAtMs?: number };
      sockets.push({ socketId: crowd[i] ?? '', connectedAtMs: record.connectedAtMs ?? 0 });
    }
    sockets.sort((a, b) => a.connectedAtMs - b.connectedAtMs);
    const surplus = sockets.slice(0, Math.max(sockets.length - this.#options.socketsPerUserMax, 0));
    if (surplus.length > 0) this.#options.closeSockets(surplus.map(({ socketId }) => socketId));
  }
}
