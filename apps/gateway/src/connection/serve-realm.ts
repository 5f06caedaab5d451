import { createBackendEventRecorder } from '@skirmish/backend-events';
import { PlayerChanges } from '@skirmish/emitter';
import { namespaceOf, type RealmId, type UserId } from '@skirmish/protocol';
import { createLaneProducer } from '@skirmish/queue';
import { createRedis, keysOf } from '@skirmish/redis';
import type { Server } from 'socket.io';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import { givenUpAfterMs, guardRedis } from '../cluster/transport-health.ts';
import type { GatewayContext, RealmContext } from '../context.ts';
import { MailDelivery } from '../mailbox/deliver.ts';
import { Presence } from '../presence/presence.ts';
import { followRooms } from '../room/ephemeral-rooms.ts';
import { RoomService } from '../room/room-service.ts';
import { Zones } from '../zone/zones.ts';
import { createArrive } from './arrive.ts';
import { type Arrivals, createAuthenticate } from './authenticate.ts';
import { ClusterLimits } from './cluster-limits.ts';
import type { EventTable } from './events.ts';
import { rejectionOf } from './rejection-of.ts';
import { RereadPlayers } from './reread-players.ts';
import type { RealmNamespace } from './session.ts';
import { Sessions } from './sessions.ts';
import { guardVolatile } from './volatile-guard.ts';

/** A realm that is being served, and how to end that. */
export interface ServedRealm extends RealmContext {
  /** Ends the lanes' producers, the mail and their connections; call it last. */
  close(): Promise<void>;
}

export interface ServeRealmParts {
  readonly gateway: GatewayContext;
  readonly io: Server;
  readonly realm: RealmId;
  readonly transport: RealmTransport;
  readonly table: EventTable;
}

/** Serves one realm: its namespace with authentication, sessions, rooms, zones and lanes. Resolves when the cluster knows it. */
export async function serveRealm({ gateway, io, realm, transport, table }: ServeRealmParts): Promise<ServedRealm> {
  const { metrics, config, logger, overload } = gateway;
  const nsp = io.of(namespaceOf(realm)) as unknown as RealmNamespace;
  const redis = createRedis({ url: config.queueRedisUrl, name: `gateway-${realm}-lanes`, role: 'queue', logger, socketTimeoutMs: givenUpAfterMs(config.readBlockMs) });
  guardRedis(redis, { realm, connection: 'lanes', logger, metrics: metrics.registry });
  const bus = createRedis({ url: config.redisUrl, name: `gateway-${realm}-service`, role: 'command', logger, socketTimeoutMs: givenUpAfterMs(config.readBlockMs) });
  guardRedis(bus, { realm, connection: 'service', logger, metrics: metrics.registry });
  const players = playersOf({ gateway, realm, transport });
  const lane = { redis, realm, logger, metrics: metrics.registry };
  const context: RealmContext = {
    gateway,
    realm,
    nsp,
    transport,
    bus,
    ...players,
    clusterLimits: limitsOf(gateway, transport),
    backend: createBackendEventRecorder({
      redis: transport.redis,
      realm,
      retentionMs: config.backendEventsRetentionMs,
      entriesMax: config.backendEventsMax,
      onDropped: (count, why) => { metrics.backendEventsDropped.inc({ why }, count); },
    }),
    zones: new Zones({
      nsp,
      transport,
      slow: overload.slow.ids,
      dropsEphemeral: overload.dropsEphemeral,
      onUnreadable: () => { metrics.report('position-refused', { realm }); },
      onPublished: () => { metrics.ticksPublished.inc(); },
    }),
    presence: createPresence(gateway, realm, nsp, transport),
    lanes: { combat: createLaneProducer({ ...lane, queue: 'combat' }), chat: createLaneProducer({ ...lane, queue: 'chat' }) },
    mail: new MailDelivery({
      emitter: transport.emitter,
      mailbox: gateway.mailbox,
      isHere: (userId) => players.sessions.of(userId).length > 0,
      report: (event, details) => { metrics.report(event, { realm }, details); },
    }),
    calls: { count: 0 },
  };
  const arrivals: Arrivals = new Map();
  guardVolatile(nsp.adapter, { slow: overload.slow.ids, drops: overload.dropsEphemeral });
  nsp.use(createAuthenticate(context, arrivals));
  nsp.on('connection', createArrive(context, arrivals, table));
  followRooms({ nsp, transport, slow: overload.slow.ids, dropsEphemeral: overload.dropsEphemeral, onUnreadable: () => { metrics.report('ephemeral-refused', { realm }); } });
  await transport.start(nsp as never);
  context.zones.start();
  context.presence.start();
  transport.onReread(players.reread.changed);
  const close = async (): Promise<void> => {
    players.reread.close();
    await Promise.allSettled([context.lanes.combat.close(), context.lanes.chat.close(), context.mail.close()]);
    redis.disconnect();
    bus.disconnect();
  };
  return { ...context, close };
}

/** Who is connected here, in which rooms, and what the database says about them. */
function playersOf({ gateway, realm, transport }: Pick<ServeRealmParts, 'gateway' | 'realm' | 'transport'>): Pick<RealmContext, 'sessions' | 'changes' | 'rooms' | 'reread'> {
  const sessions = new Sessions();
  const changes = new PlayerChanges(transport.redis, realm);
  const rooms = new RoomService({
    transport,
    emitter: transport.emitter,
    report: (event, kind) => { gateway.metrics.report(event, { kind }); },
  });
  const onFailed = (userId: UserId, err: unknown): void => { gateway.metrics.report('reread-failed', { code: rejectionOf(err).code }, { err, userId }); };
  const reread = new RereadPlayers({ realm, sessions, changes, rooms, players: gateway.players, onFailed });
  return { sessions, changes, rooms, reread };
}

function limitsOf({ config, metrics, buckets, mutes }: GatewayContext, { realm, redis }: RealmTransport): ClusterLimits {
  return new ClusterLimits({
    realm,
    redis,
    buckets,
    mutes,
    scale: config.rateLimitScale,
    connectsPerSecond: config.connectsPerUserPerSecond,
    onUncounted: (event) => { metrics.report('rate-uncounted', { client_event: event }); },
  });
}

function createPresence({ config, metrics, overload }: GatewayContext, realm: RealmId, nsp: RealmNamespace, transport: RealmTransport): Presence {
  return new Presence({
    nsp,
    transport,
    keys: keysOf(realm),
    graceMs: config.presenceGraceMs,
    slow: overload.slow.ids,
    dropsEphemeral: overload.dropsEphemeral,
    report: (event, err) => { metrics.report(event, { realm }, err === undefined ? {} : { err }); },
    onAnnounced: (users) => { metrics.presenceAnnounced.inc(users); },
  });
}
