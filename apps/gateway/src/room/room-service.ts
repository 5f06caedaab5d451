import type { EmitOptions, EmittedEvent, Emitter } from '@skirmish/emitter';
import { type CharacterId, parseRoom, Rejection, type RoomKind, type RoomName, type UserId, type ZoneId } from '@skirmish/protocol';
import type { RealmNamespace, Session } from '../connection/session.ts';
import { mayBeIn, sizeMaxOf } from './room-access.ts';

export interface RoomMember {
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
}

export interface RoomServiceOptions {
  readonly nsp: RealmNamespace;
  readonly emitter: Pick<Emitter, 'emit'>;
  /** Characters in a zone on all gateways. */
  readonly population: (zone: ZoneId) => Promise<number>;
  readonly report: (event: 'room-joined' | 'room-left', kind: RoomKind) => void;
}

const membersTimeoutMs = 500;

/**
 * The rooms of one realm: who may join, who is in, how to reach them. Broadcasts are critical: through Redis to all gateways,
 * in one order for all members.
 */
export class RoomService {
  readonly #options: RoomServiceOptions;

  constructor(options: RoomServiceOptions) {
    this.#options = options;
  }

  /** Lets a session into a room. Throws `room/not-found`, `room/forbidden`, `room/full`, and `server/unavailable` when Redis is away. */
  async joinRoom(session: Session, room: RoomName): Promise<void> {
    const parsed = parseRoom(room);
    if (!parsed) throw new Rejection('room/not-found');
    if (!mayBeIn(session.player, room)) throw new Rejection('room/forbidden');
    if (session.socket.rooms.has(room)) return;
    const sizeMax = sizeMaxOf(session.player, room);
    if (sizeMax !== null && (await this.#sizeOf(room)) >= sizeMax) throw new Rejection('room/full');
    await session.socket.join(room);
    this.#options.report('room-joined', parsed.kind);
  }

  /** Takes a session out of a room; nothing happens when it was not in. */
  async leaveRoom(session: Session, room: RoomName): Promise<void> {
    const parsed = parseRoom(room);
    if (!parsed || !session.socket.rooms.has(room)) return;
    await session.socket.leave(room);
    this.#options.report('room-left', parsed.kind);
  }

  /** The members on all gateways, each once, however many sockets they have. Asks every gateway: not for a request path. */
  async getRoomMembers(room: RoomName): Promise<{ count: number; members: RoomMember[] }> {
    const sockets = await this.#options.nsp.in(room).timeout(membersTimeoutMs).fetchSockets();
    const members = new Map<string, RoomMember>();
    for (const { data } of sockets) members.set(`${data.characterId ?? ''} ${data.userId}`, { userId: data.userId, characterId: data.characterId });
    return { count: members.size, members: [...members.values()] };
  }

  /** Sends one critical event to all members; `except` leaves the sockets of a session out. Rejects when Redis did not take it. */
  async broadcastToRoom(room: RoomName, event: EmittedEvent, payload: object, how: EmitOptions & { readonly except?: Session } = {}): Promise<{ id: string }> {
    const { except, ...options } = how;
    const target = { rooms: [room], ...(except ? { except: [except.socketId] } : {}) };
    return this.#options.emitter.emit(target, event, payload, options);
  }

  async #sizeOf(room: RoomName): Promise<number> {
    const parsed = parseRoom(room);
    if (parsed?.kind === 'zone') return this.#options.population(parsed.id as ZoneId);
    return this.#options.nsp.adapter.rooms.get(room)?.size ?? 0;
  }
}
