import { createEmitter, Router } from '@skirmish/emitter';
import type { Emitter, RouterOptions } from '@skirmish/emitter';
import type { Health, Logger, Metrics } from '@skirmish/observability';
import { createReporter } from '@skirmish/observability';
import type { CharacterId, IncarnationId, RealmId, RoomName, ZoneId } from '@skirmish/protocol';
import { parseRoom } from '@skirmish/protocol';
import type { AdapterRedis, RealmKeys, Redis } from '@skirmish/redis';
import { createAdapterRedis, createRedis, InboxReader, keysOf, whenReady } from '@skirmish/redis';
import type { Namespace } from 'socket.io';
import type { AdapterFactory, VolatileBroadcast } from '../connection/redis-adapter.ts';
import { createRealmAdapter } from '../connection/redis-adapter.ts';
import { Directory } from './directory.ts';
import type { GapReason } from './incarnation.ts';
import { Incarnation } from './incarnation.ts';
import type { ConnectEntry, RealmTransport, VolatileChannels } from './realm-transport-types.ts';
import { SocketFence } from './socket-fence.ts';
import type { ReportTransport } from './transport-events.ts';
import { transportEvents } from './transport-events.ts';
import { createVolatileChannels } from './volatile-channels.ts';

/** The numbers of a transport; the configuration names them in capitals (`RENEW_INTERVAL_MS`, …). */
export interface TransportOptions {
  /** Address that other gateways reach the internal port by, `host:port`. */
  address: string;
  version: string;
  renewIntervalMs: number;
  condemnAfterTicks: number;
  epochGraceMs: number;
  resumeWindowMs: number;
  inboxRetentionMs: number;
  readBlockMs: number;
  readCoalesceMs: number;
  socketsPerUserMax: number;
}

export interface RealmTransportParts {
  realm: RealmId;
  redisUrl: string;
  options: TransportOptions;
  logger: Logger;
  metrics: Metrics;
  health: Health;
}

const entriesPerRoundMax = 200;
const lingerMs = 1000;
/** A connection that was registered but did not complete is given up after this time. */
const pendingMsMax = 15_000;
/** Without progress for this long a gateway is not ready, milliseconds. */
const silentMsMax = 10_000;

/** The gateway's share of one realm: its connections to Redis, its place in registry and directory, the adapter of the namespace. */
export async function createRealmTransport(parts: RealmTransportParts): Promise<RealmTransport & { reader: InboxReader; adapter: AdapterFactory }> {
  const { realm, redisUrl, options, logger, metrics, health } = parts;
  const report = createReporter({ logger, metrics, events: transportEvents });
  const keys = keysOf(realm);
  // A gateway holds five connections per realm: commands, adapter commands, inbox reader, adapter subscriber, volatile subscriber.
  const redis = createRedis({ url: redisUrl, name: `gateway-${realm}`, role: 'command', logger });
  const subscriber = createRedis({ url: redisUrl, name: `gateway-${realm}-volatile`, role: 'subscriber', logger });
  await whenReady(redis).catch((error: unknown) => {
    redis.disconnect();
    subscriber.disconnect();
    throw error;
  });
  const transport = new Transport({ realm, redisUrl, options, logger, metrics, keys, redis, subscriber, report });
  health.register(`realm:${realm}`, () => transport.check());
  return transport;
}

interface Inside extends Omit<RealmTransportParts, 'health'> {
  keys: RealmKeys;
  redis: Redis;
  subscriber: Redis;
  report: ReportTransport;
}

class Transport implements RealmTransport {
  readonly realm: RealmId;
  readonly emitter: Emitter;
  readonly adapter: AdapterFactory;
  readonly volatile: VolatileChannels & { followed: () => number };
  readonly reader: InboxReader;
  readonly #inside: Inside;
  readonly #incarnation: Incarnation;
  readonly #directory: Directory;
  readonly #fence = new SocketFence();
  readonly #adapterRedis: AdapterRedis;
  readonly #router: Router;
  readonly #listeners: ((id: IncarnationId) => void)[] = [];
  #registeredSockets = new Map<string, { zone: ZoneId | null; since: number; complete: boolean }>();
  #nsp: Namespace | null = null;
  #draining = false;
  #tick: NodeJS.Timeout | null = null;
  #gaps = 0;

  constructor(inside: Inside) {
    this.#inside = inside;
    const { realm, redis, subscriber, keys, options } = inside;
    this.realm = realm;
    this.volatile = createVolatileChannels({
      publisher: redis,
      subscriber,
      keys,
      onDropped: (what) => { this.#report('transport:dropped', { realm, what }); },
    });
    this.reader = this.#createReader();
    this.#incarnation = this.#createIncarnation();
    this.#directory = this.#createDirectory();
    const routing = this.#routing();
    // Broadcasts of the edge are refused at once while Redis is away; only workers have the time to try again.
    this.emitter = createEmitter({ ...routing, retryForMs: 2000 });
    this.#router = new Router({ ...routing, retryForMs: 0 });
    this.#adapterRedis = createAdapterRedis({
      url: inside.redisUrl,
      name: `gateway-${realm}-adapter`,
      reader: this.reader,
      blockMs: options.readBlockMs,
      logger: inside.logger,
      onDropped: (what) => { this.#report('transport:dropped', { realm, what }); },
    });
    this.adapter = this.#createAdapter();
  }

  incarnation(): IncarnationId {
    return this.#incarnation.id;
  }

  async start(nsp: Namespace): Promise<void> {
    this.#nsp = nsp;
    this.#fence.attach(nsp);
    nsp.on('connection', (socket) => {
      const known = this.#registeredSockets.get(socket.id);
      if (known) known.complete = true;
      // Its rooms are joined in the same turn by the edge; then the directory sees them itself.
      setImmediate(() => { this.#directory.settle(socket.id); });
    });
    this.volatile.follow('realm' as RoomName, (body) => { this.#deliverVolatile(body as VolatileBroadcast); });
    await this.#incarnation.start();
    this.#tick = setInterval(() => { this.#everySecond(); }, 1000);
  }

  async connect(entry: ConnectEntry): Promise<{ position: string }> {
    const { keys, options } = this.#inside;
    const { socketId, userId, characterId, zone, connectedAtMs, device } = entry;
    const gateway = this.#incarnation.id;
    this.#registeredSockets.set(socketId, { zone, since: performance.now(), complete: false });
    try {
      const { position, crowd } = await this.#directory.connect({
        op: 'connect',
        socketId,
        rooms: [...entry.rooms],
        userKey: keys.user(userId),
        record: JSON.stringify({ v: 1, gateway, connectedAtMs, device }),
        zoneKey: zone === null || characterId === null ? '' : keys.roster(zone),
        characterId: characterId ?? '',
      });
      if (this.#registeredSockets.has(socketId)) this.#fence.admit(socketId, position, this.reader.position);
      if (crowd) this.#closeOldest(crowd, options.socketsPerUserMax);
      return { position };
    } catch (error) {
      this.#registeredSockets.delete(socketId);
      throw error;
    }
  }

  abandon(socketId: string): void {
    this.#leave(socketId);
  }

  disconnected(socketId: string): void {
    this.#leave(socketId);
  }

  async enterZone(socketId: string, zone: ZoneId): Promise<void> {
    await this.#directory.seat(socketId, this.#inside.keys.roster(zone), 'online');
    const known = this.#registeredSockets.get(socketId);
    if (known) known.zone = zone;
  }

  async leaveZone(socketId: string, zone: ZoneId): Promise<void> {
    if (this.#registeredSockets.get(socketId)?.zone !== zone) return;
    await this.#directory.seat(socketId, '', 'online');
    const known = this.#registeredSockets.get(socketId);
    if (known) known.zone = null;
  }

  population(zone: ZoneId): Promise<number> {
    return this.#inside.redis.hlen(this.#inside.keys.roster(zone));
  }

  async rosterHas(zone: ZoneId, characterIds: readonly CharacterId[]): Promise<boolean[]> {
    if (characterIds.length === 0) return [];
    const seats = await this.#inside.redis.hmget(this.#inside.keys.roster(zone), ...characterIds);
    return seats.map((seat) => seat !== null);
  }

  onIncarnation(listener: (id: IncarnationId) => void): void {
    this.#listeners.push(listener);
  }

  /** Tells the others that no new connection is wanted; forwarding and delivery go on. */
  drain(): void {
    this.#draining = true;
    void this.#incarnation.renew();
  }

  async stop(): Promise<void> {
    if (this.#tick) clearInterval(this.#tick);
    this.#fence.stop();
    await this.#directory.flush();
    this.#directory.close();
    await this.#incarnation.stop();
    this.reader.close();
    this.#nsp?.adapter.close();
    this.#adapterRedis.close();
    this.#inside.subscriber.disconnect();
    this.#inside.redis.disconnect();
  }

  stats(): object {
    return {
      incarnation: this.#incarnation.id,
      registered: this.#incarnation.registered,
      renewedAgoMs: Math.round(this.#incarnation.renewedAgoMs),
      reader: { position: this.reader.position, silentMs: Math.round(this.reader.silentMs) },
      directory: this.#directory.size,
      sockets: this.#registeredSockets.size,
      gateways: this.#incarnation.records.size,
      volatileChannels: this.volatile.followed(),
      emissionsInFlight: this.#router.inFlight,
      gaps: this.#gaps,
    };
  }

  check(): { ok: boolean; reason?: string; details: object } {
    const details = this.stats();
    if (this.#inside.redis.status !== 'ready') return { ok: false, reason: 'Redis is not reachable', details };
    if (!this.#incarnation.registered) return { ok: false, reason: 'not registered', details };
    if (this.reader.silentMs > silentMsMax) return { ok: false, reason: 'the inbox makes no progress', details };
    return { ok: true, details };
  }

  get #report(): ReportTransport {
    return this.#inside.report;
  }

  #createReader(): InboxReader {
    const { options, realm, metrics } = this.#inside;
    const entries = metrics.counter({ name: 'inbox_entries_total', help: 'Entries read from the inbox', labels: ['realm'] });
    const rounds = metrics.counter({ name: 'inbox_rounds_total', help: 'Finished read rounds', labels: ['realm'] });
    return new InboxReader({
      blockMs: options.readBlockMs,
      coalesceMs: options.readCoalesceMs,
      entriesMax: entriesPerRoundMax,
      gapAfterMs: 0.75 * options.inboxRetentionMs,
      onGap: (reason) => { this.#heal(reason); },
      onInvalid: (id) => { this.#report('transport:invalid-entry', { realm }, { id }); },
      onRound: (count) => {
        rounds.inc({ realm });
        if (count > 0) entries.inc({ realm }, count);
      },
    });
  }

  #createIncarnation(): Incarnation {
    const { realm, redis, keys, options } = this.#inside;
    return new Incarnation({
      redis,
      keys,
      address: options.address,
      version: options.version,
      renewIntervalMs: options.renewIntervalMs,
      condemnAfterTicks: options.condemnAfterTicks,
      position: () => this.reader.position,
      revision: () => this.#directory.revision,
      sockets: () => this.#nsp?.sockets.size ?? 0,
      draining: () => this.#draining,
      onLost: (gap) => { this.#lost(gap); },
      onRegistered: (inbox, position) => { this.#registered(inbox, position); },
      onGap: (reason) => { this.#heal(reason); },
      onCondemned: (incarnation) => { this.#report('transport:condemned', { realm }, { incarnation }); },
      onError: (error, what) => { this.#report('transport:registry-error', { realm, what }, { err: messageOf(error) }); },
    });
  }

  #createDirectory(): Directory {
    const { realm, redis, keys, options } = this.#inside;
    return new Directory({
      redis,
      keys,
      incarnation: () => this.#incarnation.id,
      hasMembers: (room) => this.#nsp?.adapter.rooms.has(room) ?? false,
      socketsPerUserMax: options.socketsPerUserMax,
      lingerMs,
      onDead: () => { void this.#incarnation.renew(); },
      onError: (error) => { this.#report('transport:directory-error', { realm }, { err: messageOf(error) }); },
    });
  }

  #routing(): Omit<RouterOptions, 'retryForMs'> {
    const { realm, redis, metrics, options } = this.#inside;
    const emissions = metrics.counter({ name: 'emissions_total', help: 'Emissions by outcome', labels: ['realm', 'outcome'] });
    return {
      redis,
      realm,
      incarnation: () => this.#incarnation.id,
      logWindowMs: options.resumeWindowMs,
      inboxRetentionMs: options.inboxRetentionMs,
      epochGraceMs: options.epochGraceMs,
      observer: {
        routed: () => { emissions.inc({ realm, outcome: 'routed' }); },
        repeated: () => { emissions.inc({ realm, outcome: 'repeated' }); },
        refused: (reason) => { emissions.inc({ realm, outcome: reason }); },
      },
    };
  }

  #createAdapter(): AdapterFactory {
    const { realm, keys, options } = this.#inside;
    return createRealmAdapter({
      client: this.#adapterRedis.client,
      keys,
      inbox: keys.inbox(this.#incarnation.id),
      router: this.#router,
      blockMs: options.readBlockMs,
      entriesMax: entriesPerRoundMax,
      tooYoungFor: (id) => this.#fence.tooYoungFor(id),
      onEntered: (rooms) => { this.#directory.entered(rooms); },
      onRoom: (room, exists) => { this.#roomChanged(room, exists); },
      onHandlerError: (error, id) => { this.#report('transport:handler-error', { realm }, { id, err: messageOf(error) }); },
      onEmitFailed: (error, cause) => { this.#report('transport:emit-failed', { realm, cause }, { err: messageOf(error) }); },
      publishVolatile: (body) => { this.volatile.publish('realm' as RoomName, body); },
    });
  }

  #roomChanged(room: string, exists: boolean): void {
    if (parseRoom(room)) this.#directory.touch(room as RoomName);
    else if (!exists) this.#leave(room);
  }

  #leave(socketId: string): void {
    this.#fence.forget(socketId);
    if (this.#registeredSockets.delete(socketId)) this.#directory.disconnect(socketId);
  }

  /** Nothing in Redis is ours any more: sockets are cut off, connections on their way are refused. */
  #lost(gap: GapReason | null): void {
    this.reader.hold();
    this.#fence.void([...this.#registeredSockets].filter(([, { complete }]) => !complete).map(([socketId]) => socketId));
    this.#registeredSockets.clear();
    this.#directory.close();
    if (gap) this.#heal(gap);
  }

  #registered(inbox: string, position: string): void {
    this.reader.point(inbox, position);
    this.#directory.open(this.#directory.revision);
    this.#report('transport:registered', { realm: this.realm }, { incarnation: this.#incarnation.id, position });
    for (const listener of this.#listeners) listener(this.#incarnation.id);
  }

  /** The one rule of gaps: no critical delivery to anybody present, close in slices, let them resume. */
  #heal(reason: GapReason): void {
    this.#gaps += 1;
    const sockets = this.#fence.cutAll();
    this.#report('transport:gap', { realm: this.realm, reason }, { sockets });
  }

  #everySecond(): void {
    this.#directory.tick();
    const now = performance.now();
    for (const [socketId, { complete, since }] of this.#registeredSockets) {
      if (!complete && now - since > pendingMsMax) this.#leave(socketId);
    }
  }

  #closeOldest(crowd: string[], max: number): void {
    const sockets: { socketId: string; connectedAtMs: number }[] = [];
    for (let i = 0; i + 1 < crowd.length; i += 2) {
      const record = JSON.parse(crowd[i + 1] ?? '{}') as { connectedAtMs?: number };
      sockets.push({ socketId: crowd[i] ?? '', connectedAtMs: record.connectedAtMs ?? 0 });
    }
    sockets.sort((a, b) => a.connectedAtMs - b.connectedAtMs);
    const surplus = sockets.slice(0, Math.max(sockets.length - max, 0)).map(({ socketId }) => socketId);
    if (surplus.length === 0) return;
    const reason = { code: 'room/full', message: 'A newer connection of the same player took this one\'s place.' };
    const data = JSON.stringify({ opts: { rooms: surplus, except: [], flags: {} }, close: true, reason });
    this.#router.route({ type: '6', rooms: [], everyone: true, data, logged: false }).catch((error: unknown) => {
      this.#report('transport:emit-failed', { realm: this.realm, cause: 'unavailable' }, { err: messageOf(error) });
    });
  }

  #deliverVolatile(body: VolatileBroadcast): void {
    if (!Array.isArray(body.rooms) || !Array.isArray(body.except)) return;
    this.#nsp?.adapter.broadcast(body.packet, {
      rooms: new Set(body.rooms),
      except: new Set(body.except),
      flags: { local: true, volatile: true },
    });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
