import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { framesPerSecondMax } from '@skirmish/protocol';
import { Server } from 'socket.io';
import type { GatewayConfig } from '../config.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { corsOptionsOf } from './cors-options.ts';
import { createHandshakeGuard, type HandshakeGuardOptions } from './handshake-guard.ts';
import { createGuardedParser } from './packet-guard.ts';
import type { adapterFor } from './redis-adapter.ts';

/** Longer than the idle time of any load balancer, so that it is never we who close a connection that one is about to use. */
const keepAliveTimeoutMs = 75_000;
const headersTimeoutMs = 80_000;
const headersBytesMax = 16_384;
/** A pause of the network may deliver two seconds of frames at once. */
const frameBurstFactor = 2;

/** The HTTP server for players. Its request listener must be there before Socket.IO attaches itself. */
export function createHttpServer(listener: RequestListener): HttpServer {
  return createServer({ keepAliveTimeout: keepAliveTimeoutMs, headersTimeout: headersTimeoutMs, maxHeaderSize: headersBytesMax }, listener);
}

export interface SocketServerParts {
  readonly config: GatewayConfig;
  readonly http: HttpServer;
  /** A `function` that Socket.IO calls with `new`; it has to be there from the first namespace on. */
  readonly adapter: ReturnType<typeof adapterFor>;
  readonly closedBecause: HandshakeGuardOptions['closedBecause'];
  readonly metrics: GatewayMetrics;
}

/** Attaches Socket.IO to the HTTP server; namespaces and their listeners are the caller's. */
export function createSocketServer({ config, http, adapter, closedBecause, metrics }: SocketServerParts): Server {
  const origins = [...(config.socketCorsOrigin ?? [])];
  const ratePerSecond = framesPerSecondMax * config.rateLimitScale;
  const io = new Server(http, {
    path: '/socket.io/',
    transports: ['websocket', 'polling'],
    serveClient: false,
    allowEIO3: false,
    cors: corsOptionsOf(config),
    allowRequest: createHandshakeGuard({ origins, closedBecause, onRefused: (code) => { metrics.report('handshake-refused', { code }); } }),
    pingInterval: config.pingIntervalMs,
    pingTimeout: config.pingTimeoutMs,
    maxHttpBufferSize: config.payloadBytesMax,
    connectTimeout: config.connectTimeoutMs,
    perMessageDeflate: false,
    httpCompression: false,
    connectionStateRecovery: { maxDisconnectionDuration: config.resumeWindowMs, skipMiddlewares: false },
    adapter: adapter as never,
    parser: createGuardedParser({
      frames: { ratePerSecond, burst: ratePerSecond * frameBurstFactor },
      onCut: (reason) => { metrics.report('connection-cut', { reason }); },
    }),
  });
  // Socket.IO makes the main namespace by itself, without a token and beyond the time limit of CONNECT: here it is no realm.
  io.use((_socket, next) => { next(new Error('Invalid namespace')); });
  return io;
}
