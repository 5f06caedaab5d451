import { createBackendEventRecorder } from '@skirmish/backend-events';
import { namespaceOf, type RealmId } from '@skirmish/protocol';
import { createLaneProducer } from '@skirmish/queue';
import { createRedis } from '@skirmish/redis';
import type { Server } from 'socket.io';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import { givenUpAfterMs, guardRedis } from '../cluster/transport-health.ts';
import type { GatewayContext, RealmContext } from '../context.ts';
import { MailDelivery } from '../mailbox/deliver.ts';
import { Parties } from '../party/parties.ts';
import { followRooms } from '../room/ephemeral-rooms.ts';
import { RoomService } from '../room/room-service.ts';
import { Zones } from '../zone/zones.ts';
import { createArrive } from './arrive.ts';
import { type Arrivals, createAuthenticate } from './authenticate.ts';
import type { EventTable } from './events.ts';
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
  const sessions = new Sessions();
  const ephemera = { slow: overload.slow.ids, dropsEphemeral: overload.dropsEphemeral };
  const lane = { redis, realm, logger, metrics: metrics.registry };
  const context: RealmContext = {
    gateway,
    realm,
    nsp,
    transport,
    bus,
    sessions,
    rooms: new RoomService({
      ...{ transport, emitter: transport.emitter },
      report: (event, kind) => { metrics.report(event, { kind }); },
    }),
    parties: new Parties({ transport, config, report: metrics.report }),
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
      ...ephemera,
      onUnreadable: () => { metrics.report('position-refused', { realm }); },
      onPublished: () => { metrics.ticksPublished.inc(); },
    }),
    lanes: { combat: createLaneProducer({ ...lane, queue: 'combat' }), chat: createLaneProducer({ ...lane, queue: 'chat' }) },
    mail: new MailDelivery({
      emitter: transport.emitter,
      mailbox: gateway.mailbox,
      isHere: (userId) => sessions.of(userId).length > 0,
      report: (event, details) => { metrics.report(event, { realm }, details); },
    }),
    calls: { count: 0 },
  };
  const arrivals: Arrivals = new Map();
  guardVolatile(nsp.adapter, { slow: overload.slow.ids, drops: overload.dropsEphemeral });
  nsp.use(createAuthenticate(context, arrivals));
  nsp.on('connection', createArrive(context, arrivals, table));
  followRooms({ ...ephemera, nsp, transport, onUnreadable: () => { metrics.report('ephemeral-refused', { realm }); } });
  await transport.start(nsp as never);
  context.zones.start();
  context.parties.start();
  const close = async (): Promise<void> => {
    await Promise.allSettled([context.lanes.combat.close(), context.lanes.chat.close(), context.mail.close()]);
    redis.disconnect();
    bus.disconnect();
  };
  return { ...context, close };
}
