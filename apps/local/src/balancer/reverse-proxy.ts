import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ReverseProxyOptions {
  /** 0: any free one. */
  port: number;
  upstreams: readonly number[];
  /** A handshake waits so long for a gateway before the next one is asked. */
  handshakeTimeoutMs?: number;
}

/** An HTTP reverse proxy: each request goes to the next gateway in turn, upgrades become tunnels, nothing sticks. */
export interface ReverseProxy extends AsyncDisposable {
  readonly port: number;
  use(ports: readonly number[]): void;
}

interface State {
  upstreams: readonly number[];
  next: number;
  handshakeTimeoutMs: number;
}

const connectTimeoutMs = 1_000;

/** Starts the proxy on 127.0.0.1 and resolves when it listens. */
export async function createReverseProxy(options: ReverseProxyOptions): Promise<ReverseProxy> {
  const { port, upstreams, handshakeTimeoutMs = 4_000 } = options;
  const state: State = { upstreams, next: 0, handshakeTimeoutMs };
  const server = createServer((incoming, outgoing) => void forward(state, incoming, outgoing));
  server.on('upgrade', (incoming, socket, head) => void tunnel(state, incoming, socket, head));
  // Long-polling decides how long a request lives, not we.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    use: (ports) => {
      state.upstreams = ports;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** All gateways once, beginning with the one whose turn it is. */
function turns(state: State): number[] {
  const first = state.next;
  state.next = (state.next + 1) % Math.max(1, state.upstreams.length);
  return state.upstreams.map((_port, index) => state.upstreams[(first + index) % state.upstreams.length] ?? 0);
}

/** Only what no gateway has taken is offered to another one: a refused connection, or a handshake that nobody answers. */
async function forward(state: State, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  for (const port of turns(state)) {
    const outcome = await offer(state, incoming, outgoing, port);
    if (outcome === 'taken' || outgoing.headersSent || outgoing.destroyed) return;
    // What was sent is not repeated: the answer of a poll would be lost without a trace, a POST would count twice.
    if (outcome === 'lost' && !isHandshake(incoming)) break;
  }
  refuse(outgoing);
}

type Outcome = 'taken' | 'free' | 'lost';

function offer(state: State, incoming: IncomingMessage, outgoing: ServerResponse, port: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let isSent = false;
    const upstream = request({ host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers: headersOf(incoming), agent: false });
    const timer = isHandshake(incoming) ? setTimeout(() => upstream.destroy(new Error('silent')), state.handshakeTimeoutMs) : undefined;
    upstream.once('socket', (socket) => {
      // The body is only read once somebody is there to take it.
      socket.setTimeout(connectTimeoutMs, () => upstream.destroy(new Error('no connection')));
      socket.once('connect', () => {
        socket.setTimeout(0);
        isSent = true;
        incoming.pipe(upstream);
      });
    });
    upstream.once('response', (response) => {
      clearTimeout(timer);
      outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
      outgoing.flushHeaders();
      response.pipe(outgoing);
      response.once('error', () => outgoing.destroy());
      resolve('taken');
    });
    upstream.once('error', () => {
      clearTimeout(timer);
      incoming.unpipe(upstream);
      resolve(isSent ? 'lost' : 'free');
    });
    outgoing.once('close', () => upstream.destroy());
  });
}

/** An upgrade: the bytes of the request are written anew to the gateway, and from then on both ends are piped. */
async function tunnel(state: State, incoming: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  client.on('error', () => client.destroy());
  for (const port of turns(state)) {
    const outcome = await open(state, incoming, client, head, port);
    if (outcome === 'taken') return;
    if (outcome === 'lost' && !isHandshake(incoming)) break;
  }
  client.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
}

function open(state: State, incoming: IncomingMessage, client: Duplex, head: Buffer, port: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let isSent = false;
    const upstream = request({ host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers: headersOf(incoming), agent: false });
    const timer = setTimeout(() => upstream.destroy(new Error('silent')), state.handshakeTimeoutMs);
    const take = (): void => {
      clearTimeout(timer);
      resolve('taken');
    };
    upstream.once('upgrade', (response, socket, upstreamHead) => {
      take();
      // A tunnel is as quiet as its two ends like.
      socket.setTimeout(0);
      socket.setNoDelay(true);
      client.write(`HTTP/1.1 101 Switching Protocols\r\n${rawHeaderLines(response)}\r\n`);
      if (upstreamHead.length > 0) client.write(upstreamHead);
      if (head.length > 0) socket.write(head);
      join(client, socket);
    });
    upstream.once('response', (response) => {
      take();
      client.write(`HTTP/1.1 ${response.statusCode ?? 502} ${response.statusMessage ?? ''}\r\n${rawHeaderLines(response, ['transfer-encoding'])}Connection: close\r\n\r\n`);
      response.pipe(client);
    });
    upstream.once('socket', (socket) => socket.once('connect', () => {
      isSent = true;
    }));
    upstream.once('error', () => {
      clearTimeout(timer);
      resolve(isSent ? 'lost' : 'free');
    });
    client.once('close', () => upstream.destroy());
    upstream.end();
  });
}

function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}

function headersOf(incoming: IncomingMessage): NodeJS.Dict<string | string[]> {
  const before = incoming.headers['x-forwarded-for'];
  const address = incoming.socket.remoteAddress ?? '';
  return { ...incoming.headers, 'x-forwarded-for': before === undefined ? address : `${String(before)}, ${address}` };
}

function rawHeaderLines({ rawHeaders }: IncomingMessage, without: readonly string[] = []): string {
  const pairs = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : []));
  return pairs.filter(([name]) => !without.includes(name.toLowerCase())).map(([name, value]) => `${name}: ${value}\r\n`).join('');
}

const isHandshake = (incoming: IncomingMessage): boolean => incoming.method === 'GET' && !(incoming.url ?? '').includes('sid=');

function refuse(outgoing: ServerResponse): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(503, { 'retry-after': '1', 'content-type': 'application/json' });
  outgoing.end(JSON.stringify({ ok: false, error: { code: 'server/unavailable', message: 'No gateway answers.', retry: 'later', retryAfterMs: 1_000 } }));
}
