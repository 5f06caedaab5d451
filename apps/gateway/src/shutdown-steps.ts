import type { Server as HttpServer } from 'node:http';
import type { InternalServer, Shutdown } from '@skirmish/observability';
import type { createRealmTransport } from './cluster/realm-transport.ts';
import { announceDrain, callsAnswered, closeSockets } from './connection/drain.ts';
import type { ServedRealm } from './connection/serve-realm.ts';
import type { GatewayContext } from './context.ts';
import type { Forwarding } from './forwarding/forwarding.ts';

/** What runs so far; filled while the gateway starts, so that a stop in the middle of a start ends what there is. */
export interface Running {
  readonly realms: ServedRealm[];
  readonly transports: Awaited<ReturnType<typeof createRealmTransport>>[];
  http?: HttpServer;
  forwarding?: Forwarding;
  internal?: InternalServer;
  sweepTimer?: NodeJS.Timeout;
}

/** The names and limits of an ordered stop; with the defaults it ends within 10 s. */
export function addShutdownSteps(shutdown: Shutdown, { config, health, database, overload }: GatewayContext, running: Running): void {
  const { realms, transports } = running;
  shutdown.step('refuse new connections', 100, () => { health.drain('stopping'); });
  shutdown.step('announce', 100, () => { announceDrain(realms, config.drainTimeoutMs); });
  shutdown.step('answer what was asked', 1_000, (signal) => callsAnswered(realms, signal));
  shutdown.step('close connections', config.drainTimeoutMs + 500, async (signal) => {
    const tunnels = running.forwarding?.drainTunnels({ delayMs: 0, spreadMs: config.drainTimeoutMs }, signal);
    await Promise.all([closeSockets(realms, config.drainTimeoutMs, signal), tunnels]);
  });
  shutdown.step('stop the timers', 100, () => {
    clearInterval(running.sweepTimer);
    overload.stop();
    for (const { zones } of realms) zones.stop();
  });
  shutdown.step('leave the cluster', 1_500, async () => {
    await Promise.all(transports.map((transport) => transport.stop()));
  });
  shutdown.step('close the public port', 300, () => {
    running.forwarding?.close();
    return closeHttp(running.http);
  });
  shutdown.step('close the lanes', 500, async () => {
    await Promise.all(realms.map((realm) => realm.close()));
  });
  shutdown.step('close the database', 700, () => database.close());
  shutdown.step('close the internal port', 200, async () => running.internal?.close());
}

async function closeHttp(http: HttpServer | undefined): Promise<void> {
  if (!http?.listening) return;
  const closed = new Promise<void>((resolve) => http.close(() => { resolve(); }));
  http.closeAllConnections();
  await closed;
}
