import { Agent, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Counter, durationBuckets, type Histogram, type Metrics } from '@skirmish/observability';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import type { ClientAddress } from '../connection/client-address.ts';
import type { AddCors } from '../http/socket-cors.ts';
import { ForwardLimits } from './forward-limits.ts';
import { forwardRequest, type ForwardTimes, type Owner } from './forward-request.ts';
import { refuseRequest, refuseUpgrade } from './refuse.ts';
import { SessionIds, sidOf } from './session-ids.ts';
import { Tunnel } from './tunnel.ts';

export interface ForwardingParts {
  /** The public port, with the engine attached already. */
  readonly http: HttpServer;
  readonly internal: HttpServer;
  /** Of the first realm: its incarnation stands for the process. */
  readonly transport: Pick<RealmTransport, 'incarnation' | 'addressOf'>;
  /** Our own internal port as it stands in the registry. */
  readonly ownAddress: string;
  readonly clientAddress: ClientAddress;
  readonly addCors: AddCors;
  readonly perAddressPerSecond: number;
  readonly pingIntervalMs: number;
  readonly underWayMax?: number;
  /** Other time limits than those of the README. */
  readonly times?: Partial<ForwardTimes>;
  readonly metrics: Metrics;
}

const enginePath = '/socket.io/';
const tunnelsMax = 16_384;
const pollMarginMs = 5_000;
const fixedTimes = { connectMs: 1_000, bodyMs: 10_000, answerMs: 10_000, upgradeMs: 5_000, transferMs: 30_000 };
/** Free connections end with us before they end with the owner, so that none is used while it is being closed. */
const freeConnections = { maxMs: 30_000, max: 64, ownersKeepMs: 75_000 };
const sliceMs = 100;
const noSession = '{"code":3,"message":"Bad request"}';

type Kind = 'poll' | 'post' | 'upgrade';
type Outcome = 'answered' | 'tunnelled' | 'client-gone' | 'owner-gone' | 'timed-out' | 'busy' | 'unknown-owner';

/**
 * Makes every gateway good for every request: what belongs to a session of another gateway is passed on to its internal port.
 * Takes the listeners of the public port over; construct it after the engine is attached and before the port is open.
 */
export class Forwarding {
  readonly #parts: ForwardingParts;
  readonly #ids: SessionIds;
  readonly #limits: ForwardLimits;
  readonly #times: ForwardTimes;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: freeConnections.max, timeout: freeConnections.maxMs });
  /** Also those that are being opened; the oldest first. */
  readonly #tunnels = new Set<Tunnel>();
  readonly #requests: Counter<'outcome'>;
  readonly #seconds: Histogram<'kind'>;
  #openTunnels = 0;

  constructor(parts: ForwardingParts) {
    const { http, internal, transport, metrics, pingIntervalMs, perAddressPerSecond } = parts;
    this.#parts = parts;
    this.#ids = new SessionIds(() => transport.incarnation());
    this.#limits = new ForwardLimits({ perAddressPerSecond, ...(parts.underWayMax === undefined ? {} : { underWayMax: parts.underWayMax }) });
    this.#times = { ...fixedTimes, pollMs: pingIntervalMs + pollMarginMs, ...parts.times };
    this.#requests = metrics.counter({ name: 'forwarded_requests_total', help: 'Requests of sessions of other gateways, by outcome', labels: ['outcome'] });
    this.#seconds = metrics.histogram({ name: 'forwarding_seconds', help: 'Duration of a forwarded request; a poll waits for news', labels: ['kind'], buckets: durationBuckets });
    metrics.gauge({ name: 'tunnelled_websockets', help: 'WebSockets here that belong to sessions of other gateways', collect: () => this.#openTunnels });
    metrics.gauge({ name: 'forwarding_connections_busy', help: 'Connections to other gateways that carry a request; tunnels have their own', collect: () => countOf(this.#agent.sockets) });
    metrics.gauge({ name: 'forwarding_connections_idle', help: 'Connections to other gateways that wait for a request', collect: () => countOf(this.#agent.freeSockets) });
    metrics.gauge({ name: 'internal_connections', help: 'Open connections at the internal port: requests and tunnels of other gateways, probes, scrapes, services', collect: () => connectionsOf(internal) });
    internal.keepAliveTimeout = freeConnections.ownersKeepMs;
    this.#standBefore(http, internal);
  }

  freshSessionId(): string {
    return this.#ids.fresh();
  }

  get tunnels(): number {
    return this.#tunnels.size;
  }

  /** Cuts up to `count` tunnels, the oldest first, and returns how many are left. */
  closeTunnels(count: number): number {
    for (const tunnel of [...this.#tunnels].slice(0, count)) tunnel.close();
    return this.#tunnels.size;
  }

  /** Closes all tunnels in slices over `spreadMs`, beginning after `delayMs`; once `signal` is aborted, at once. */
  async drainTunnels({ delayMs, spreadMs }: { readonly delayMs: number; readonly spreadMs: number }, signal: AbortSignal): Promise<void> {
    const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal }).catch(() => undefined);
    await pause(delayMs);
    const slice = Math.max(20, Math.ceil((this.tunnels * sliceMs) / Math.max(spreadMs, 1)));
    while (!signal.aborted && this.closeTunnels(slice) > 0) await pause(sliceMs);
    this.closeTunnels(Infinity);
  }

  /** Ends what is left. */
  close(): void {
    this.closeTunnels(Infinity);
    this.#agent.destroy();
  }

  /** Serves a request on the internal port; false when it is none of a session. */
  serveInternally(request: IncomingMessage, response: ServerResponse): boolean {
    if (!isForEngine(request)) return false;
    if (sidOf(request.url ?? '') !== null) return this.#serveHere(request, response);
    response.writeHead(400, { 'content-type': 'application/json', connection: 'close' }).end(noSession);
    return true;
  }

  #serveHere: (request: IncomingMessage, response: ServerResponse) => true = () => true;

  #standBefore(http: HttpServer, internal: HttpServer): void {
    const requestListeners = http.listeners('request');
    const upgradeListeners = http.listeners('upgrade');
    const call = (listeners: readonly unknown[], ...args: readonly unknown[]): true => {
      for (const listener of listeners) (listener as (...all: readonly unknown[]) => void).apply(http, [...args]);
      return true;
    };
    this.#serveHere = (request, response) => call(requestListeners, request, response);
    http.removeAllListeners('request').on('request', (request, response) => {
      const owner = this.#ownerElsewhere(request);
      if (owner === null) this.#serveHere(request, response);
      else this.#forward(request, response, owner);
    });
    http.removeAllListeners('upgrade').on('upgrade', (request: IncomingMessage, client: Socket, head: Buffer) => {
      const owner = this.#ownerElsewhere(request);
      if (owner === null) call(upgradeListeners, request, client, head);
      else this.#tunnel(request, client, head, owner);
    });
    internal.on('upgrade', (request: IncomingMessage, client: Socket, head: Buffer) => {
      // Node has taken its own listener away: a reset would end the process.
      client.on('error', () => { client.destroy(); });
      if (isForEngine(request) && sidOf(request.url ?? '') !== null) call(upgradeListeners, request, client, head);
      else client.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () => { client.destroy(); });
    });
  }

  /** Null: it is for us, be it to say that nobody knows the session. Preflights are answered alike everywhere. */
  #ownerElsewhere(request: IncomingMessage): Owner | null {
    if (!isForEngine(request) || request.method === 'OPTIONS') return null;
    const sid = sidOf(request.url ?? '');
    const incarnation = sid === null ? null : this.#ids.foreignOwnerOf(sid);
    if (incarnation === null) return null;
    const address = this.#parts.transport.addressOf(incarnation);
    const owner = address === undefined || address === this.#parts.ownAddress ? null : ownerAt(address);
    if (owner === null) this.#count('unknown-owner');
    return owner;
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse, owner: Owner): void {
    const address = this.#parts.clientAddress(incoming);
    if (!this.#limits.take(address)) {
      this.#count('busy');
      refuseRequest(incoming, outgoing, 'server/busy', this.#parts.addCors);
      return;
    }
    const startedAt = performance.now();
    const refuse = (): void => { refuseRequest(incoming, outgoing, 'server/unavailable', this.#parts.addCors); };
    const over = forwardRequest({ incoming, outgoing, owner, agent: this.#agent, times: this.#times, refuse });
    void over.then((outcome) => {
      this.#limits.release(address);
      this.#count(outcome, incoming.method === 'POST' ? 'post' : 'poll', startedAt);
    });
  }

  #tunnel(incoming: IncomingMessage, client: Socket, head: Buffer, owner: Owner): void {
    const address = this.#parts.clientAddress(incoming);
    client.on('error', () => { client.destroy(); });
    if (this.#tunnels.size >= tunnelsMax || !this.#limits.take(address)) {
      this.#count('busy');
      refuseUpgrade(client, 'server/busy');
      return;
    }
    const startedAt = performance.now();
    let isOpen = false;
    const tunnel = new Tunnel({
      incoming, client, head, owner,
      connectMs: this.#times.connectMs,
      answerMs: this.#times.upgradeMs,
      onOpen: () => {
        isOpen = true;
        this.#openTunnels += 1;
        this.#limits.release(address);
        this.#count('tunnelled', 'upgrade', startedAt);
      },
      onClosed: (outcome) => {
        this.#tunnels.delete(tunnel);
        if (isOpen) {
          this.#openTunnels -= 1;
          return;
        }
        this.#limits.release(address);
        this.#count(outcome, 'upgrade', startedAt);
      },
      refuse: () => { refuseUpgrade(client, 'server/unavailable'); },
    });
    this.#tunnels.add(tunnel);
    tunnel.start();
  }

  #count(outcome: Outcome, kind?: Kind, startedAt = 0): void {
    this.#requests.inc({ outcome });
    if (kind !== undefined) this.#seconds.observe({ kind }, (performance.now() - startedAt) / 1000);
  }
}

const countOf = (byOwner: Readonly<Record<string, readonly Socket[] | undefined>>): number => Object.values(byOwner).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);

const connectionsOf = promisify((server: HttpServer, done: (error: Error | null, count: number) => void) => { server.getConnections(done); });

/** The same test that the engine makes. */
const isForEngine = ({ url }: IncomingMessage): boolean => (url ?? '').startsWith(enginePath);

/** Beyond it Node throws where it connects. */
const portMax = 65_535;

/** Where a gateway says that it is; null for what is no address. */
function ownerAt(address: string): Owner | null {
  const [, host = '', port = ''] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(address) ?? [];
  return host === '' || Number(port) > portMax ? null : { host, port: Number(port) };
}
