import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { InternalServer, Shutdown } from '@skirmish/observability';
import type { createRealmTransport } from './cluster/realm-transport.ts';
import { answersMsMax, Drain, readMsMax } from './connection/drain.ts';
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

/** The names and limits of an ordered stop; with the defaults it ends within 10 s. The order and its reasons: connection/README.md. */
export function addShutdownSteps(shutdown: Shutdown, { config, health, database, overload, strikes, tokens }: GatewayContext, running: Running): void {
  const { realms, transports } = running;
  const { drainDelayMs: delayMs, drainTimeoutMs: spreadMs } = config;
  const drain = new Drain(realms, { delayMs, spreadMs });
  shutdown.step('refuse new connections', 100, () => { health.drain('stopping'); });
  shutdown.step('announce', 100, () => { drain.announce(); });
  shutdown.step('close connections', delayMs + spreadMs + answersMsMax + readMsMax + 200, async (signal) => {
    // Tunnels of sessions that other gateways own: those cannot tell their clients, because they do not drain.
    const tunnels = running.forwarding?.drainTunnels({ delayMs, spreadMs }, signal);
    await Promise.all([drain.close(signal), tunnels]);
  });
  shutdown.step('stop the timers', 100, () => {
    clearInterval(running.sweepTimer);
    overload.stop();
    tokens.stop();
    for (const { zones, parties, presence } of realms) {
      zones.stop();
      parties.stop();
      presence.stop();
    }
  });
  shutdown.step('leave the cluster', 1_500, async () => {
    await Promise.all(realms.map(({ backend }) => backend.flush(300)));
    await Promise.all(transports.map((transport) => transport.stop()));
  });
  shutdown.step('close the public port', 300, () => {
    running.forwarding?.close();
    return closeHttp(running.http);
  });
  shutdown.step('close the lanes', 500, async () => {
    await Promise.all([strikes.stop(), ...realms.map((realm) => realm.close())]);
  });
  shutdown.step('close the database', 700, () => database.close());
  shutdown.step('close the internal port', 200, async () => running.internal?.close());
}

async function closeHttp(http: HttpServer | undefined): Promise<void> {
  if (!http?.listening) return;
  const closed = new Promise<void>((resolve) => http.close(() => { resolve(); }));
  // Node closes neither upgraded connections nor those whose client does not read.
  for (const socket of connectionsOf.get(http) ?? []) socket.destroy();
  await closed;
}

const connectionsOf = new WeakMap<HttpServer, Set<Socket>>();

/** Keeps all connections of the public port, so that the stop can end those that nothing else ends. */
export function followConnections(http: HttpServer): void {
  const connections = new Set<Socket>();
  connectionsOf.set(http, connections);
  http.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
}
