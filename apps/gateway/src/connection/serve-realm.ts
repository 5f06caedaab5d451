import { namespaceOf } from '@skirmish/protocol';
import { createLaneProducer } from '@skirmish/queue';
import { createRedis } from '@skirmish/redis';
import type { Server } from 'socket.io';
import { givenUpAfterMs, guardRedis } from '../cluster/transport-health.ts';
import type { RealmContext } from '../context.ts';
import { followRooms } from '../room/ephemeral-rooms.ts';
import { createArrive } from './arrive.ts';
import { type Arrivals, createAuthenticate } from './authenticate.ts';
import type { EventTable } from './events.ts';
import { type RealmBase, realmPartsOf } from './realm-parts.ts';
import type { RealmNamespace } from './session.ts';
import { guardVolatile } from './volatile-guard.ts';

/** A realm that is being served, and how to end that. */
export interface ServedRealm extends RealmContext {
  /** Ends the lanes' producers, the mail and their connections; call it last. */
  close(): Promise<void>;
}

export interface ServeRealmParts extends Omit<RealmBase, 'nsp'> {
  readonly io: Server;
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
  const lane = { redis, realm, logger, metrics: metrics.registry };
  const context: RealmContext = {
    gateway,
    realm,
    nsp,
    transport,
    bus,
    ...realmPartsOf({ gateway, realm, transport, nsp }),
    lanes: { combat: createLaneProducer({ ...lane, queue: 'combat' }), chat: createLaneProducer({ ...lane, queue: 'chat' }) },
    calls: { count: 0 },
  };
  const arrivals: Arrivals = new Map();
  guardVolatile(nsp.adapter, { slow: overload.slow.ids, drops: overload.dropsEphemeral });
  nsp.use(createAuthenticate(context, arrivals));
  nsp.on('connection', createArrive(context, arrivals, table));
  followRooms({ nsp, transport, slow: overload.slow.ids, dropsEphemeral: overload.dropsEphemeral, onUnreadable: () => { metrics.report('ephemeral-refused', { realm }); } });
  transport.onReread(context.reread.changed);
  await transport.start(nsp as never);
  context.zones.start();
  context.parties.start();
  context.presence.start();
  // Whoever registers again does so because Redis may have lost what it held, change marks too.
  transport.onIncarnation(() => { gateway.players.distrust(realm); });
  const close = async (): Promise<void> => {
    context.reread.close();
    await Promise.allSettled([context.lanes.combat.close(), context.lanes.chat.close(), context.mail.close()]);
    redis.disconnect();
    bus.disconnect();
  };
  return { ...context, close };
}
