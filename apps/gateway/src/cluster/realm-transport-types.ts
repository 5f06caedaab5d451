import type { Emitter } from '@skirmish/emitter';
import type { CharacterId, IncarnationId, RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import type { Namespace } from 'socket.io';
import type { RoomMember } from './memberships.ts';
import type { Standing } from './missed-events.ts';
import type { OwnParty } from './own-party.ts';
import type { ReloadReason } from './resumes.ts';

export type { RoomMember } from './memberships.ts';
export type { Standing } from './missed-events.ts';
export type { OwnParty } from './own-party.ts';
export type { ReloadReason } from './resumes.ts';

/** What is registered in Redis for one connection. */
export interface ConnectEntry {
  readonly socketId: string;
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
  readonly device: string;
  readonly rooms: readonly RoomName[];
  readonly zone: ZoneId | null;
  readonly tokenExpiresAtMs: number;
  readonly connectedAtMs: number;
  /** Private id of the session that begins; also of one that wanted to resume and may not. */
  readonly pid: string;
  /** The session that the client wants to continue, and the position up to which it has everything. */
  readonly resume: { readonly pid: string; readonly offset: string } | null;
}

/** How much a resume brings: events, and bytes of their JSON. */
export interface Replay {
  readonly events: number;
  readonly bytes: number;
}

/** How a connection arrives: the rooms it will be in, and what became of its wish to resume. */
export interface Arrival {
  readonly rooms: readonly RoomName[];
  readonly resume:
    | null
    /** What was missed follows after its welcome, which carries the client's own position. `connectedAtMs`: since when the session counts. */
    | { readonly recovered: true; readonly offset: string; readonly connectedAtMs: number; readonly replay: Replay }
    | { readonly recovered: false; readonly reason: ReloadReason };
}

/** State and ephemeral events: Pub/Sub per room, lossy, never waiting. */
export interface VolatileChannels {
  /** `bytes` travel beside the body as they are. */
  publish(room: RoomName, body: object, bytes?: Uint8Array): void;
  follow(room: RoomName, handler: (body: unknown, bytes: Uint8Array | null) => void): void;
  unfollow(room: RoomName): void;
}

/** Everything that a gateway's edge asks of the cluster for one realm. */
export interface RealmTransport {
  readonly realm: RealmId;
  readonly emitter: Emitter;
  readonly volatile: VolatileChannels;
  /** The connection for commands. */
  readonly redis: Redis;
  incarnation(): IncarnationId;
  /** The internal port, `host:port`, of an incarnation of the registry as of the last renewal; asks nobody and outlives outages of Redis. */
  addressOf(incarnation: string): string | undefined;
  /** Call it after the edge's own `connection` listener is there, and before the port is open. The listener joins the rooms in its own turn. */
  start(nsp: Namespace): Promise<void>;
  /** `party`: the one that the user is in, as of the position; its room is entered in the same step. */
  connect(entry: ConnectEntry): Promise<{ position: string; party: OwnParty | null }>;
  /**
   * Enters further rooms of a connection that is not complete. State that decides about rooms is read after it was registered; when that
   * names rooms that `connect` did not, they are entered and the state is read again.
   */
  widen(socketId: string, rooms: readonly RoomName[]): Promise<void>;
  /**
   * The last step before CONNECT is answered: what the connection will hear first and be in. `rooms` are those that the server's state gives
   * it, `standing` what any other room of a resumed session is to it now. Rejects when it could not be found out: close the transport then, the
   * client comes again with its session intact.
   */
  settle(socketId: string, rooms: readonly RoomName[], standing: (room: RoomName) => Standing): Promise<Arrival>;
  /** Counts a wish to resume that was not even in a sound form. */
  resumeMalformed(): void;
  abandon(socketId: string): void;
  /** `resumable`: the session is kept for the resume window; not when one of the two sides ended it on purpose. */
  disconnected(socketId: string, resumable: boolean): void;
  /** Lets a socket here join rooms at one place in the order of the realm; resolves when it is in. Rejects with `server/unavailable`, `server/busy`. */
  join(socketId: string, rooms: readonly RoomName[]): Promise<{ id: string }>;
  leave(socketId: string, rooms: readonly RoomName[]): Promise<{ id: string }>;
  /** Resolves when everything up to this realm-clock id has been handed on here; rejects with `server/unavailable` after 5 s. */
  met(id: string): Promise<void>;
  /** Takes a place in a room for a socket here in one step, unless it has `usersMax` users already; the place goes with the socket. */
  reserve(socketId: string, room: RoomName, usersMax: number): Promise<boolean>;
  /** Gives the place back when the join did not come about. */
  release(socketId: string, room: RoomName): void;
  /** One page of who is in a room, on all gateways; the cursor is `'0'` at the beginning and in the end. A member may appear on two pages. */
  members(room: RoomName, cursor?: string, count?: number): Promise<{ members: RoomMember[]; cursor: string }>;
  enterZone(socketId: string, zone: ZoneId): Promise<void>;
  leaveZone(socketId: string, zone: ZoneId): Promise<void>;
  population(zone: ZoneId): Promise<number>;
  rosterHas(zone: ZoneId, characterIds: readonly CharacterId[]): Promise<boolean[]>;
  /** Told, in the order of the realm, of users here about whom the database says something new. */
  onReread(listener: (userIds: readonly UserId[]) => void): void;
  /** Told of the messages about presence on the channel of the realm, unread. */
  onPresence(listener: (body: unknown) => void): void;
  /** Told when state and ephemeral events may have been missed: the connection that they come by was interrupted, and is there again. */
  onVolatileGap(listener: () => void): void;
  onIncarnation(listener: (id: IncarnationId) => void): void;
  drain(): void;
  stop(): Promise<void>;
  stats(): object;
}
