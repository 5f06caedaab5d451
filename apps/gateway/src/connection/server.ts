import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { type ClientEventName, framesPerSecondMax, type RefusalCode } from '@skirmish/protocol';
import { Server } from 'socket.io';
import type { GatewayConfig } from '../config.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { Admission } from './admission.ts';
import { createClientAddress } from './client-address.ts';
import { corsOptionsOf } from './cors-options.ts';
import { createHandshakeGuard, createOriginGuard, type HandshakeGuardOptions } from './handshake-guard.ts';
import { guardHeartbeats } from './heartbeat-guard.ts';
import type { Overload } from './overload.ts';
import { createGuardedParser } from './packet-guard.ts';
import type { adapterFor } from './redis-adapter.ts';
import type { EngineSocket } from './session.ts';
import type { RateLimit } from './token-buckets.ts';

/** Longer than the idle time of any load balancer, so that it is never we who close a connection that one is about to use. */
const keepAliveTimeoutMs = 75_000;
const headersBytesMax = 16_384;
/** Against clients that send a request byte by byte; a poll that waits for its answer is a whole request. */
const slowRequestLimits = { headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, checkIntervalMs: 5_000 };
/** A pause of the network may deliver two seconds of frames or handshakes at once. */
const burstFactor = 2;
/** From the header of a binary packet to its attachment, which is at most one frame. */
const attachmentTimeoutMs = 10_000;
/** From our end of a WebSocket to the client's. */
const closeTimeoutMs = 3_000;
const binaryEvents: ReadonlySet<ClientEventName> = new Set(['party:data']);

/** The HTTP server for players. Its request listener must be there before Socket.IO attaches itself. */
export function createHttpServer(listener: RequestListener, limits = slowRequestLimits): HttpServer {
  const options = {
    keepAliveTimeout: keepAliveTimeoutMs,
    maxHeaderSize: headersBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
  };
  return createServer(options, listener);
}

export interface SocketServerParts {
  readonly config: GatewayConfig;
  readonly http: HttpServer;
  /** A `function` that Socket.IO calls with `new`; it has to be there from the first namespace on. */
  readonly adapter: ReturnType<typeof adapterFor>;
  readonly closedBecause: HandshakeGuardOptions['closedBecause'];
  readonly overload: Overload;
  readonly metrics: GatewayMetrics;
}

/** Attaches Socket.IO to the HTTP server; namespaces and their listeners are the caller's. */
export function createSocketServer({ config, http, adapter, closedBecause, overload, metrics }: SocketServerParts): Server {
  const origins = [...(config.socketCorsOrigin ?? [])];
  const addressOf = createClientAddress(config.trustedProxies ?? []);
  const admission = new Admission({
    handshakes: burstOf(config.handshakesPerSecondMax),
    handshakesPerAddress: config.handshakesPerAddressPerSecond,
    socketsPerAddressMax: config.socketsPerAddressMax,
  });
  const onRefused = (code: RefusalCode): void => { metrics.report('handshake-refused', { code }); };
  const io = new Server(http, {
    path: '/socket.io/',
    transports: ['websocket', 'polling'],
    serveClient: false,
    allowEIO3: false,
    cors: corsOptionsOf(config),
    allowRequest: createHandshakeGuard({ closedBecause, admission, addressOf, onRefused }),
    pingInterval: config.pingIntervalMs,
    pingTimeout: config.pingTimeoutMs,
    maxHttpBufferSize: config.payloadBytesMax,
    connectTimeout: config.connectTimeoutMs,
    perMessageDeflate: false,
    httpCompression: false,
    connectionStateRecovery: { maxDisconnectionDuration: config.resumeWindowMs, skipMiddlewares: false },
    adapter: adapter as never,
    parser: createGuardedParser({
      frames: burstOf(framesPerSecondMax * config.rateLimitScale),
      binaryEvents,
      attachmentTimeoutMs,
      onCut: (reason) => { metrics.report('connection-cut', { reason }); },
    }),
  });
  // Socket.IO makes the main namespace by itself, without a token and beyond the time limit of CONNECT: here it is no realm.
  io.use((_socket, next) => { next(new Error('Invalid namespace')); });
  // `ws` would keep the connection of a client that ignores the end of it for 30 s. Engine.IO makes its WebSocket server anew here.
  http.on('listening', () => { (io.engine as unknown as EngineWithWebSockets).ws.options.closeTimeout = closeTimeoutMs; });
  io.engine.use(createOriginGuard(origins, onRefused));
  io.engine.on('connection', (conn: EngineSocket) => {
    admission.opened(addressOf(conn.request), conn);
    overload.slow.watch(conn);
    guardHeartbeats(conn, (reason) => { metrics.report('connection-cut', { reason }); });
  });
  return io;
}

interface EngineWithWebSockets {
  readonly ws: { readonly options: { closeTimeout: number } };
}

const burstOf = (ratePerSecond: number): RateLimit => ({ ratePerSecond, burst: ratePerSecond * burstFactor });
