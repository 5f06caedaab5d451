import type { Emitter } from '@skirmish/emitter';
import type { CharacterId, IncarnationId, RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import type { Namespace } from 'socket.io';

/** What is registered in Redis for one fresh connection. */
export interface ConnectEntry {
  readonly socketId: string;
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
  readonly device: string;
  readonly rooms: readonly RoomName[];
  readonly zone: ZoneId | null;
  readonly tokenExpiresAtMs: number;
  readonly connectedAtMs: number;
}

/** State and ephemeral events: Pub/Sub per room, lossy, never waiting. */
export interface VolatileChannels {
  publish(room: RoomName, body: object): void;
  follow(room: RoomName, handler: (body: unknown) => void): void;
  unfollow(room: RoomName): void;
}

/** Everything that a gateway's edge asks of the cluster for one realm. */
export interface RealmTransport {
  readonly realm: RealmId;
  readonly emitter: Emitter;
  readonly volatile: VolatileChannels;
  incarnation(): IncarnationId;
  /** The internal port, `host:port`, of an incarnation of the registry as of the last renewal; asks nobody and outlives outages of Redis. */
  addressOf(incarnation: string): string | undefined;
  /** Call it after the edge's own `connection` listener is there, and before the port is open. The listener joins the rooms in its own turn. */
  start(nsp: Namespace): Promise<void>;
  connect(entry: ConnectEntry): Promise<{ position: string }>;
  /**
   * Enters further rooms of a connection that is not complete. State that decides about rooms is read after it was registered; when that
   * names rooms that `connect` did not, they are entered and the state is read again.
   */
  widen(socketId: string, rooms: readonly RoomName[]): Promise<void>;
  abandon(socketId: string): void;
  disconnected(socketId: string): void;
  enterZone(socketId: string, zone: ZoneId): Promise<void>;
  leaveZone(socketId: string, zone: ZoneId): Promise<void>;
  population(zone: ZoneId): Promise<number>;
  rosterHas(zone: ZoneId, characterIds: readonly CharacterId[]): Promise<boolean[]>;
  onIncarnation(listener: (id: IncarnationId) => void): void;
  drain(): void;
  stop(): Promise<void>;
  stats(): object;
}
