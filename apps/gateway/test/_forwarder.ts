import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createMetrics, type Metrics } from '@skirmish/observability';
import type { IncarnationId } from '@skirmish/protocol';
import { createClientAddress } from '../src/connection/client-address.ts';
import { corsOptionsOf } from '../src/connection/cors-options.ts';
import { Forwarding, type ForwardingParts } from '../src/forwarding/forwarding.ts';
import { createSocketCors } from '../src/http/socket-cors.ts';

/** An HTTP server and its connections. */
export interface Listening extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  readonly connections: ReadonlySet<Socket>;
}

export async function listen(listener?: RequestListener): Promise<Listening> {
  const server = createServer(listener);
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => connections.delete(socket));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    for (const socket of connections) socket.destroy();
    await new Promise<void>((resolve) => { server.close(() => { resolve(); }); });
  };
  return { server, port, url: `http://127.0.0.1:${port}`, connections, [Symbol.asyncDispose]: stop };
}

export interface Forwarder extends AsyncDisposable {
  readonly forwarding: Forwarding;
  /** The public port. */
  readonly server: Server;
  readonly url: string;
  readonly internalUrl: string;
  readonly connections: ReadonlySet<Socket>;
  readonly metrics: Metrics;
  /** Session id of the owner that stands in the table. */
  readonly sid: string;
  metric(name: string): Promise<number>;
}

/** The public and internal port of a gateway whose engine only says where it was asked, and one owner in its table: what forwarding does, whatever the owner does. */
export async function startForwarder(ownerPort: number, parts: Partial<ForwardingParts> = {}): Promise<Forwarder> {
  const http = await listen((request, response) => response.end(`here ${request.method ?? ''}`));
  http.server.on('upgrade', (_request, socket: Socket) => socket.end('HTTP/1.1 400 Here\r\n\r\n'));
  let forwarding: Forwarding | null = null;
  const internal = await listen((request, response) => {
    if (forwarding?.serveInternally(request, response) !== true) response.writeHead(404).end();
  });
  const metrics = createMetrics({ process: 'gateway', runtime: false });
  const ownAddress = `127.0.0.1:${internal.port}`;
  const table = new Map([['owner-000000', `127.0.0.1:${ownerPort}`], ['myself-00000', ownAddress]]);
  forwarding = new Forwarding({
    http: http.server,
    internal: internal.server,
    transport: { incarnation: () => 'self-0000000' as IncarnationId, addressOf: (incarnation) => table.get(incarnation) },
    ownAddress,
    clientAddress: createClientAddress(['127.0.0.1']),
    addCors: createSocketCors(corsOptionsOf({ socketCorsOrigin: ['https://game.example.com'] })),
    perAddressPerSecond: 1_000,
    pingIntervalMs: 25_000,
    metrics,
    ...parts,
  });
  const made = forwarding;
  return {
    forwarding: made,
    server: http.server,
    url: http.url,
    internalUrl: internal.url,
    connections: http.connections,
    metrics,
    sid: `owner-000000.${'x'.repeat(24)}`,
    metric: async (name) => {
      const line = (await metrics.render()).split('\n').find((each) => each.startsWith(`skirmish_${name}`));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    [Symbol.asyncDispose]: async () => {
      made.close();
      await Promise.all([http[Symbol.asyncDispose](), internal[Symbol.asyncDispose]()]);
    },
  };
}
