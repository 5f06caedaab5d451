import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { accepted, refusals, refused, Rejection } from '@skirmish/protocol';
import type { Health } from './create-health.ts';
import type { Metrics } from './create-metrics.ts';

export interface InternalServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly health: Health;
  readonly metrics: Metrics;
  /** Asked first; answers true when it has taken the request over. */
  readonly handle?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface InternalServer {
  readonly port: number;
  /** For upgrades; owned by this value. */
  readonly server: Server;
  /** Stops listening and closes every connection; may be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;

/** Serves /healthz, /readyz, /health and /metrics for the platform, in the acknowledgement envelope; rejects when the port cannot be had. */
export async function serveInternal({ host, port, health, metrics, handle }: InternalServerOptions): Promise<InternalServer> {
  const server = createServer({ headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs }, (request, response) => {
    void serve(request, response);
  });
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (handle?.(request, response) !== true) await answer(request, response, health, metrics);
    } catch (cause) {
      if (response.headersSent) response.destroy();
      else refuse(response, new Rejection('server/internal', { cause }));
    }
  }

  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen({ host, port }, () => resolve(undefined));
  await promise;
  server.off('error', reject);

  const close = (): Promise<void> => {
    const closed = new Promise<void>((done) => server.close(() => done()));
    // Node closes neither idle connections at once nor upgraded ones at all.
    for (const socket of connections) socket.destroy();
    return closed;
  };
  return { port: (server.address() as AddressInfo).port, server, close, [Symbol.asyncDispose]: close };
}

async function answer(request: IncomingMessage, response: ServerResponse, health: Health, metrics: Metrics): Promise<void> {
  const [path] = (request.url ?? '/').split('?', 1);
  const known = request.method === 'GET' || request.method === 'HEAD' ? path : undefined;
  switch (known) {
    case '/healthz':
      json(response, 200, accepted({ alive: true }));
      break;
    case '/readyz':
      answerReadiness(response, health);
      break;
    case '/health':
      json(response, 200, accepted(health.report()));
      break;
    case '/metrics':
      send(response, 200, metrics.contentType, await metrics.render());
      break;
    default:
      refuse(response, new Rejection('http/not-found'));
  }
}

function answerReadiness(response: ServerResponse, health: Health): void {
  const { ready, draining, reasons } = health.readiness();
  if (ready) {
    json(response, 200, accepted({ ready, reasons }));
    return;
  }
  const refusal = new Rejection(draining ? 'server/draining' : 'server/unavailable').toRefusal();
  json(response, 503, { ok: false, error: { ...refusal, reasons } });
}

function refuse(response: ServerResponse, rejection: Rejection): void {
  json(response, refusals[rejection.code].status, refused(rejection.toRefusal()));
}

function json(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json; charset=utf-8', JSON.stringify(body));
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' }).end(body);
}
