import type { ServedRealm } from '../connection/serve-realm.ts';
import type { GatewayContext } from '../context.ts';
import type { Statistics } from './health-routes.ts';

/** The figures of `/health`: sockets, rooms and transport of each realm, and the pool of the database. */
export function statisticsOf(gateway: GatewayContext, realms: readonly ServedRealm[]): Statistics {
  return () => ({
    sockets: {
      connected: realms.reduce((sum, { sessions }) => sum + sessions.size, 0),
      connecting: gateway.connecting.count,
      transports: realms[0]?.nsp.server.engine.clientsCount ?? 0,
    },
    realms: Object.fromEntries(realms.map((realm) => [realm.realm, statisticsOfRealm(realm)])),
    pool: gateway.database.stats(),
    cachedPlayers: gateway.players.size,
  });
}

function statisticsOfRealm({ sessions, nsp, zones, transport, calls }: ServedRealm): object {
  return {
    sockets: sessions.size,
    users: sessions.userCount,
    rooms: nsp.adapter.rooms.size,
    zones: zones.size,
    callsInFlight: calls.count,
    adapter: transport.stats(),
  };
}
