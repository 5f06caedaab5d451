import type { EmitOptions, EmittedEvent, Emitter } from '@skirmish/emitter';
import { type CharacterId, parseRoom, Rejection, type RoomKind, type RoomName, roomsOfSocketMax, type UserId } from '@skirmish/protocol';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import type { Session } from '../connection/session.ts';
import { partyOf } from '../party/party-of.ts';
import { isOfConnection, mayBeIn, sizeMaxOf } from './room-access.ts';

export interface RoomMember {
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
}

export interface RoomMembers {
  /** Users with a character, or without one, each once. */
  readonly count: number;
  readonly members: RoomMember[];
  /** False when the room has more sockets than are looked at. */
  readonly complete: boolean;
}

export interface RoomServiceOptions {
  readonly transport: Pick<RealmTransport, 'join' | 'leave' | 'reserve' | 'release' | 'members'>;
  readonly emitter: Pick<Emitter, 'emit'>;
  readonly report: (event: 'room-joined' | 'room-left', kind: RoomKind) => void;
}

/** Sockets of a room that are looked at: one look-up for nearly all rooms, a few for the largest. */
const membersMax = 20_000;
const membersPerLookUp = 5_000;

/**
 * The rooms of one realm: who may join, who is in, how to reach them. Broadcasts are critical: through Redis to all gateways,
 * in one order for all members. Joins and leaves have a place in that order, too: every event after the join arrives, none before it,
 * none after the leave. The changes of one session are made one after the other.
 */
export class RoomService {
  readonly #options: RoomServiceOptions;
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(options: RoomServiceOptions) {
    this.#options = options;
  }

  /** Sessions whose rooms are being changed now. */
  get changing(): number {
    return this.#changes.size;
  }

  /**
   * Lets a session into a room; what the server knows of its player decides. Nothing happens when it is in.
   * Throws `room/not-found`, `room/forbidden`, `room/full`, `room/too-many`, and `server/unavailable` when Redis is away or the socket is gone.
   */
  joinRoom(session: Session, room: RoomName): Promise<void> {
    return this.#inTurn(session, () => this.#join(session, room));
  }

  /** Takes a session out of a room; nothing happens when it was not in. Throws `room/forbidden` for the rooms of the connection itself. */
  leaveRoom(session: Session, room: RoomName): Promise<void> {
    return this.#inTurn(session, () => this.#leave(session, room));
  }

  /** The members on all gateways, each once, however many sockets they have. Not for the room of a user: ask for its sockets. */
  async getRoomMembers(room: RoomName): Promise<RoomMembers> {
    const kind = parseRoom(room)?.kind;
    if (kind === undefined || kind === 'user') throw new Rejection('room/not-found');
    const members = new Map<string, RoomMember>();
    let cursor = '0';
    let seen = 0;
    do {
      const page = await this.#options.transport.members(room, cursor, membersPerLookUp);
      for (const { userId, characterId } of page.members) members.set(`${characterId ?? ''} ${userId}`, { userId, characterId });
      seen += page.members.length;
      cursor = page.cursor;
    } while (cursor !== '0' && seen < membersMax);
    return { count: members.size, members: [...members.values()], complete: cursor === '0' };
  }

  /** Sends one critical event to all members; `except` leaves the socket of a session out. Rejects when Redis did not take it. */
  async broadcastToRoom(room: RoomName, event: EmittedEvent, payload: object, how: EmitOptions & { readonly except?: Session } = {}): Promise<{ id: string }> {
    if (!parseRoom(room)) throw new Rejection('room/not-found');
    const { except, ...options } = how;
    const target = { rooms: [room], ...(except ? { except: [except.socketId] } : {}) };
    return this.#options.emitter.emit(target, event, payload, options);
  }

  async #join(session: Session, room: RoomName): Promise<void> {
    const { socket, socketId, player } = session;
    const parsed = parseRoom(room);
    if (!parsed) throw new Rejection('room/not-found');
    if (!mayBeIn(player, partyOf(session), room)) throw new Rejection('room/forbidden');
    if (socket.rooms.has(room)) return;
    // One of them is the socket's own.
    if (socket.rooms.size > roomsOfSocketMax) throw new Rejection('room/too-many');
    await this.#takePlace(session, room);
    try {
      await this.#options.transport.join(socketId, [room]);
    } catch (error) {
      // It may have happened all the same, later perhaps; whoever is in keeps the place.
      if (!socket.rooms.has(room)) this.#options.transport.release(socketId, room);
      throw error;
    }
    if (!socket.rooms.has(room)) throw new Rejection('server/unavailable');
    this.#options.report('room-joined', parsed.kind);
  }

  /** The seats of a room are given by one script on Redis: of two who want the last one, on whatever gateways, one gets it. */
  async #takePlace({ socket, socketId, player }: Session, room: RoomName): Promise<void> {
    const sizeMax = sizeMaxOf(player, room);
    if (sizeMax === null) return;
    try {
      if (await this.#options.transport.reserve(socketId, room, sizeMax)) return;
    } catch (error) {
      // Without an answer nobody knows whether it was taken.
      this.#options.transport.release(socketId, room);
      throw error;
    }
    throw new Rejection(socket.connected ? 'room/full' : 'server/unavailable');
  }

  async #leave({ socket, socketId }: Session, room: RoomName): Promise<void> {
    const parsed = parseRoom(room);
    if (!parsed || !socket.rooms.has(room)) return;
    if (isOfConnection(parsed.kind)) throw new Rejection('room/forbidden');
    await this.#options.transport.leave(socketId, [room]);
    this.#options.report('room-left', parsed.kind);
  }

  async #inTurn<T>({ socketId }: Session, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(socketId) ?? Promise.resolve();
    const mine = before.then(change, change);
    this.#changes.set(socketId, mine);
    try {
      return await mine;
    } finally {
      if (this.#changes.get(socketId) === mine) this.#changes.delete(socketId);
    }
  }
}
