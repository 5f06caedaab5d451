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
  start(nsp: Namespace): Promise<void>;
  connect(entry: ConnectEntry): Promise<{ position: string }>;
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
