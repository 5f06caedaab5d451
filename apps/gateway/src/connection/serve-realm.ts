import { namespaceOf, type RealmId } from '@skirmish/protocol';
import { createLaneProducer } from '@skirmish/queue';
import { createRedis } from '@skirmish/redis';
import type { Server } from 'socket.io';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import { guardRedis } from '../cluster/transport-health.ts';
import type { GatewayContext, RealmContext } from '../context.ts';
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
  /** Ends the lanes' producers and their connection; call it last. */
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
  const redis = createRedis({ url: config.queueRedisUrl, name: `gateway-${realm}-lanes`, role: 'queue', logger });
  guardRedis(redis, { realm, connection: 'lanes', logger, metrics: metrics.registry });
  const lane = { redis, realm, logger, metrics: metrics.registry };
  const context: RealmContext = {
    gateway,
    realm,
    nsp,
    transport,
    sessions: new Sessions(),
    rooms: new RoomService({
      nsp,
      emitter: transport.emitter,
      population: (zone) => transport.population(zone),
      report: (event, kind) => { metrics.report(event, { kind }); },
    }),
    zones: new Zones({
      nsp,
      transport,
      slow: overload.slow.ids,
      dropsEphemeral: overload.dropsEphemeral,
      onUnreadable: () => { metrics.report('position-refused', { realm }); },
      onPublished: () => { metrics.ticksPublished.inc(); },
    }),
    lanes: { combat: createLaneProducer({ ...lane, queue: 'combat' }), chat: createLaneProducer({ ...lane, queue: 'chat' }) },
    calls: { count: 0 },
  };
  const arrivals: Arrivals = new Map();
  guardVolatile(nsp.adapter, { slow: overload.slow.ids, drops: overload.dropsEphemeral });
  nsp.use(createAuthenticate(context, arrivals));
  nsp.on('connection', createArrive(context, arrivals, table));
  await transport.start(nsp as never);
  context.zones.start();
  const close = async (): Promise<void> => {
    await Promise.allSettled([context.lanes.combat.close(), context.lanes.chat.close()]);
    redis.disconnect();
  };
  return { ...context, close };
}
