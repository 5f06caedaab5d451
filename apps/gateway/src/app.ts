import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDatabase, createMailbox, loadPlayer } from '@skirmish/database';
import { createHealth, createMetrics, createShutdown, type Health, type InternalServer, type Logger, type Metrics, serveInternal, type Shutdown } from '@skirmish/observability';
import { type IncarnationId, namespaceOf, type RealmId, realmIdSchema, socketsPerUserMax } from '@skirmish/protocol';
import * as v from 'valibot';
import { createRealmTransport } from './cluster/realm-transport.ts';
import type { GatewayConfig } from './config.ts';
import { createClientAddress } from './connection/client-address.ts';
import { corsOptionsOf } from './connection/cors-options.ts';
import { type EventTable, events } from './connection/events.ts';
import { createOverload, type LoadFigures, ownFigures } from './connection/overload.ts';
import { PlayerCache } from './connection/player-cache.ts';
import { adapterFor } from './connection/redis-adapter.ts';
import { serveRealm, type ServedRealm } from './connection/serve-realm.ts';
import { createConfiguredVerifier } from './connection/verifier.ts';
import { createHttpServer, createSocketServer } from './connection/server.ts';
import { TokenBuckets } from './connection/token-buckets.ts';
import { TokenLife } from './connection/token-life.ts';
import type { GatewayContext } from './context.ts';
import { Forwarding } from './forwarding/forwarding.ts';
import { createExpressApp } from './http/express-app.ts';
import { createSocketCors } from './http/socket-cors.ts';
import { statisticsOf } from './http/statistics.ts';
import { createStrikes } from './limits/create-strikes.ts';
import { Mutes } from './limits/mutes.ts';
import { createGatewayLogger } from './logger.ts';
import { createGatewayMetrics } from './metrics.ts';
import { addShutdownSteps, followConnections, type Running } from './shutdown-steps.ts';

/** A running gateway. Disposing it is the ordered stop. */
export interface Gateway extends AsyncDisposable {
  readonly publicPort: number;
  readonly internalPort: number;
  /** Of the first realm; another one after the cluster gave this gateway up. */
  readonly incarnation: IncarnationId;
  onIncarnation(listener: () => void): void;
  readonly realms: readonly ServedRealm[];
  /** Takes no new connections from now on; those that are there stay. */
  drain(reason: string): void;
  stop(reason: string): Promise<void>;
}

/** Parts that a process brings itself, so that its signals work from the first moment. */
export interface GatewayParts {
  readonly logger?: Logger;
  readonly health?: Health;
  readonly shutdown?: Shutdown;
  /** Other events than those of the game, for tests of the way that all events go. */
  readonly events?: EventTable;
  /** Other figures than those of this process, for tests of what it does when it is overloaded. */
  readonly load?: LoadFigures;
}

/** More authentications at a time than this are asked to come back a second later. */
const connectingMax = 500;
const sweepIntervalMs = 30_000;

/**
 * Starts a gateway and resolves when it serves players; rejects when a port is taken or Redis does not answer within 10 s, and
 * leaves nothing running then.
 *
 * @example
 * await using gateway = await createGateway(config.parse(process.env));
 */
export async function createGateway(config: GatewayConfig, parts: GatewayParts = {}): Promise<Gateway> {
  const logger = parts.logger ?? createGatewayLogger(config);
  const shutdown = parts.shutdown ?? createShutdown({ logger });
  try {
    return await start(config, { logger, shutdown, health: parts.health ?? createHealth(), events: parts.events ?? events, load: parts.load ?? ownFigures() });
  } catch (error) {
    await shutdown.run('the start failed');
    throw error;
  }
}

async function start(config: GatewayConfig, { logger, health, shutdown, events: table, load }: Required<GatewayParts>): Promise<Gateway> {
  const metrics = createMetrics({ process: 'gateway' });
  const realms: ServedRealm[] = [];
  const gateway = createContext({ config, logger, metrics, health, load, realms });
  const running: Running = { realms, transports: [] };
  addShutdownSteps(shutdown, gateway, running);

  const handle = (request: IncomingMessage, response: ServerResponse): boolean => running.forwarding?.serveInternally(request, response) ?? false;
  const internal = (running.internal = await serveInternal({ host: config.internalHost, port: config.internalPort, health, metrics, handle }));
  const ownAddress = addressOf(config.internalAddress, internal.port);
  const { transports } = running;
  await connectRealms(gateway, metrics, ownAddress, transports);
  const http = (running.http = createHttpServer(createExpressApp({ gateway, realms, statistics: statisticsOf(gateway, realms) })));
  followConnections(http);
  const adapter = adapterFor(new Map(transports.map((transport) => [namespaceOf(transport.realm), transport.adapter])));
  const io = createSocketServer({ config, http, adapter, closedBecause: () => closedBecause(gateway), overload: gateway.overload, metrics: gateway.metrics });
  const forwarding = (running.forwarding = forwardFor({ config, http, internal, transports, ownAddress, metrics }));
  io.engine.generateId = () => forwarding.freshSessionId();
  for (const transport of transports) realms.push(await serveRealm({ gateway, io, realm: transport.realm, transport, table }));
  await listen(http, config);
  gateway.overload.start();
  gateway.tokens.start();
  running.sweepTimer = setInterval(() => { sweep(gateway); }, sweepIntervalMs);
  logger.info({ publicPort: portOf(http), internalPort: internal.port, realms: config.realms }, 'gateway is ready');

  const stop = async (reason: string): Promise<void> => {
    health.drain(reason);
    await shutdown.run(reason);
  };
  return {
    publicPort: portOf(http),
    internalPort: internal.port,
    get incarnation() {
      return transports[0]?.incarnation() ?? ('' as IncarnationId);
    },
    onIncarnation: (listener) => { transports[0]?.onIncarnation(listener); },
    realms,
    drain: (reason) => { health.drain(reason); },
    stop,
    [Symbol.asyncDispose]: () => stop('disposed'),
  };
}

function sweep({ buckets, mutes }: GatewayContext): void {
  buckets.sweep(Date.now());
  mutes.sweep(Date.now());
}

interface ContextParts {
  readonly config: GatewayConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly load: LoadFigures;
  /** Filled later. */
  readonly realms: readonly ServedRealm[];
}

function createContext({ config, logger, metrics: registry, health, load, realms }: ContextParts): GatewayContext {
  const metrics = createGatewayMetrics({ logger, metrics: registry, socketCount: () => realms.reduce((sum, { sessions }) => sum + sessions.size, 0) });
  const database = createDatabase({ url: config.databaseUrl, poolMax: config.databasePoolMax, applicationName: 'gateway', logger });
  const mutes = new Mutes();
  return {
    config,
    logger,
    metrics,
    health,
    database,
    mailbox: createMailbox(database),
    verifier: createConfiguredVerifier(config, { logger, metrics: registry }),
    players: new PlayerCache({
      load: (query) => loadPlayer(database, { ...query, mailOf: config.realms }),
      onStale: ({ userId }, err) => { metrics.report('player-stale', {}, { err, userId }); },
    }),
    buckets: new TokenBuckets(config.rateLimitScale),
    strikes: createStrikes({ config, database, metrics, mutes, realms }),
    mutes,
    tokens: new TokenLife({ warnMs: config.tokenWarnMs, graceMs: config.tokenGraceMs, report: metrics.report }),
    connecting: { count: 0 },
    overload: createOverload({ config, metrics, health, load, realms }),
  };
}

type Transport = Running['transports'][number];

async function connectRealms(gateway: GatewayContext, metrics: Metrics, address: string, transports: Transport[]): Promise<void> {
  const { config, logger, health } = gateway;
  const options = { ...config, address, version: '1', socketsPerUserMax };
  for (const id of config.realms) {
    const realm: RealmId = v.parse(realmIdSchema, id);
    transports.push(await createRealmTransport({ realm, redisUrl: config.redisUrl, options, logger, metrics, health }));
  }
}

interface ForwardingBase {
  readonly config: GatewayConfig;
  readonly http: HttpServer;
  readonly internal: InternalServer;
  readonly transports: readonly Transport[];
  readonly ownAddress: string;
  readonly metrics: Metrics;
}

/** Requests for sessions of other gateways; the incarnation in the first realm stands for the process. */
function forwardFor({ config, internal, transports: [transport], ...rest }: ForwardingBase): Forwarding {
  if (transport === undefined) throw new TypeError('a gateway serves at least one realm');
  return new Forwarding({
    ...rest,
    transport,
    internal: internal.server,
    clientAddress: createClientAddress(config.trustedProxies ?? []),
    addCors: createSocketCors(corsOptionsOf(config)),
    perAddressPerSecond: config.forwardedPerAddressPerSecond,
    pingIntervalMs: config.pingIntervalMs,
  });
}

/** Why no new connection is taken now; asked for every handshake, so it knows without asking anybody. */
function closedBecause({ health, connecting, overload }: GatewayContext): 'server/draining' | 'server/busy' | 'server/unavailable' | null {
  const { ready, draining } = health.readiness();
  if (draining) return 'server/draining';
  if (overload.pressure.isHighForNewcomers()) return 'server/busy';
  if (!ready) return 'server/unavailable';
  return connecting.count >= connectingMax ? 'server/busy' : null;
}

async function listen(http: HttpServer, { socketHost: host, socketPort: port }: GatewayConfig): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  http.once('error', reject);
  http.listen({ host, port, backlog: 4_096 }, () => { resolve(undefined); });
  await promise;
  http.off('error', reject);
}

const addressOf = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
const portOf = (http: HttpServer): number => (http.address() as AddressInfo).port;
