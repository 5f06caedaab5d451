import type { Verifier } from '@skirmish/auth';
import type { BackendEventRecorder } from '@skirmish/backend-events';
import type { Database, Mailbox } from '@skirmish/database';
import type { PlayerChanges } from '@skirmish/emitter';
import type { Health, Logger } from '@skirmish/observability';
import type { ClientEventName, RealmId } from '@skirmish/protocol';
import type { LaneProducer } from '@skirmish/queue';
import type { Redis } from '@skirmish/redis';
import type { RealmTransport } from './cluster/realm-transport-types.ts';
import type { GatewayConfig } from './config.ts';
import type { ClusterLimits } from './connection/cluster-limits.ts';
import type { Overload } from './connection/overload.ts';
import type { PlayerCache } from './connection/player-cache.ts';
import type { RereadPlayers } from './connection/reread-players.ts';
import type { RealmNamespace, Session } from './connection/session.ts';
import type { Sessions } from './connection/sessions.ts';
import type { TokenBuckets } from './connection/token-buckets.ts';
import type { TokenLife } from './connection/token-life.ts';
import type { Mutes } from './limits/mutes.ts';
import type { Strikes } from './limits/strikes.ts';
import type { MailDelivery } from './mailbox/deliver.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Parties } from './party/parties.ts';
import type { Presence } from './presence/presence.ts';
import type { RoomService } from './room/room-service.ts';
import type { Zones } from './zone/zones.ts';

/** What belongs to the whole gateway. */
export interface GatewayContext {
  readonly config: GatewayConfig;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
  readonly health: Health;
  readonly database: Database;
  readonly mailbox: Mailbox;
  readonly verifier: Verifier;
  readonly players: PlayerCache;
  readonly buckets: TokenBuckets;
  /** Requests above a rate, and what follows from too many. */
  readonly strikes: Strikes;
  readonly mutes: Mutes;
  readonly tokens: TokenLife;
  readonly connecting: { count: number };
  readonly overload: Overload;
}

/** What belongs to one realm of it. */
export interface RealmContext {
  readonly gateway: GatewayContext;
  readonly realm: RealmId;
  readonly nsp: RealmNamespace;
  readonly transport: RealmTransport;
  /** Questions and commands of backends; sockets use the transport's own connection. */
  readonly bus: Redis;
  readonly sessions: Sessions;
  /** What has changed in the database since somebody read it. */
  readonly changes: PlayerChanges;
  /** Reads the players of the sessions here anew when something has. */
  readonly reread: RereadPlayers;
  readonly rooms: RoomService;
  readonly parties: Parties;
  /** Rates that are counted over all gateways. */
  readonly clusterLimits: ClusterLimits;
  /** What the studio's own services hear. */
  readonly backend: BackendEventRecorder;
  readonly zones: Zones;
  readonly presence: Presence;
  readonly lanes: { readonly combat: LaneProducer<'combat'>; readonly chat: LaneProducer<'chat'> };
  readonly mail: MailDelivery;
  /** Calls that have not been answered. */
  readonly calls: { count: number };
}

/** One event of a client on its way through the gateway. */
export interface Call {
  readonly realm: RealmContext;
  readonly session: Session;
  readonly event: ClientEventName;
  readonly receivedAtMs: number;
}
