import { setTimeout as delay } from 'node:timers/promises';
import { createEmitter, Router } from '@skirmish/emitter';
import type { Emitter } from '@skirmish/emitter';
import { type CheckResult, createReporter } from '@skirmish/observability';
import type { CharacterId, IncarnationId, RealmId, RoomName, ZoneId } from '@skirmish/protocol';
import { isRoomName, parseRoom, roomOf } from '@skirmish/protocol';
import type { AdapterRedis, InboxReader } from '@skirmish/redis';
import { createAdapterRedis, createRedis, keysOf, whenReady } from '@skirmish/redis';
import type { Namespace } from 'socket.io';
import type { AdapterFactory, VolatileBroadcast } from '../connection/redis-adapter.ts';
import { createRealmAdapter } from '../connection/redis-adapter.ts';
import { Acquaintance } from './acquaintance.ts';
import { Directory } from './directory.ts';
import type { GapReason } from './incarnation.ts';
import { Incarnation } from './incarnation.ts';
import type { ConnectEntry, RealmTransport, VolatileChannels } from './realm-transport-types.ts';
import { RegisteredSockets } from './registered-sockets.ts';
import { SocketFence } from './socket-fence.ts';
import { transportEvents } from './transport-events.ts';
import type { WatchedTransport } from './transport-health.ts';
import { gaugeTransport, guardRedis, healthOf, judgeTransport } from './transport-health.ts';
import type { RealmTransportParts, TransportInside } from './transport-parts.ts';
import { atMostEverySecond, createReader, entriesPerRoundMax, messageOf, routingOf } from './transport-parts.ts';
import { createVolatileChannels } from './volatile-channels.ts';

export type { RealmTransportParts, TransportOptions } from './transport-parts.ts';

/** How long a directory entry outlives its last member, milliseconds. */
const lingerMs = 1000;
/** How long a stop waits for the directory, milliseconds. */
const flushMsMax = 1000;
/** How long an emission of the edge is tried again, milliseconds: time for a reconnect. Only workers have the time for more. */
const edgeRetryMs = 250;

/**
 * The gateway's share of one realm: its connections to Redis, its place in registry and directory, the adapter of the namespace.
 * Holds five connections: commands, adapter commands, inbox reader, adapter subscriber, volatile subscriber.
 * Rejects when Redis does not answer within 10 s.
 */
export async function createRealmTransport(parts: RealmTransportParts): Promise<Transport> {
  const { realm, redisUrl, options, logger, metrics, health } = parts;
  const report = createReporter({ logger, metrics, events: transportEvents });
  const keys = keysOf(realm);
  const redis = createRedis({ url: redisUrl, name: `gateway-${realm}`, role: 'command', logger });
  const subscriber = createRedis({ url: redisUrl, name: `gateway-${realm}-volatile`, role: 'subscriber', logger });
  await whenReady(redis).catch((error: unknown) => {
    redis.disconnect();
    subscriber.disconnect();
    throw error;
  });
  const breaker = guardRedis(redis, { realm, connection: 'bus', logger, metrics });
  const transport = new Transport({ realm, redisUrl, options, logger, metrics, keys, redis, subscriber, breaker, report });
  health.register(`realm:${realm}`, () => transport.check());
  return transport;
}

class Transport implements RealmTransport {
  readonly realm: RealmId;
  readonly emitter: Emitter;
  /** Makes the adapter of the realm's namespace. */
  readonly adapter: AdapterFactory;
  readonly volatile: VolatileChannels & { followed: () => number };
  readonly reader: InboxReader;
  readonly #inside: TransportInside;
  readonly #incarnation: Incarnation;
  readonly #acquaintance: Acquaintance;
  readonly #directory: Directory;
  readonly #fence = new SocketFence((socketId, rooms) => { this.#directory.expect(socketId, rooms.filter(isRoomName)); });
  readonly #sockets: RegisteredSockets;
  readonly #adapterRedis: AdapterRedis;
  readonly #router: Router;
  readonly #listeners: ((id: IncarnationId) => void)[] = [];
  #nsp: Namespace | null = null;
  #draining = false;
  #tick: NodeJS.Timeout | null = null;
  #gaps = 0;

  constructor(inside: TransportInside) {
    const { realm, redis, subscriber, keys, options, logger, report } = inside;
    this.#inside = inside;
    this.realm = realm;
    const onDropped = (what: string): void => { report('transport:dropped', { realm, what }); };
    this.volatile = createVolatileChannels({ publisher: redis, breaker: inside.breaker, subscriber, keys, onDropped });
    this.reader = createReader(inside, (reason) => { this.#heal(reason); });
    this.#incarnation = this.#createIncarnation();
    this.#acquaintance = new Acquaintance(this.#incarnation, this.volatile, options.renewIntervalMs);
    this.#directory = this.#createDirectory();
    const routing = routingOf(inside, () => this.#incarnation.id);
    this.emitter = createEmitter({ ...routing, retryForMs: edgeRetryMs });
    this.#router = new Router({ ...routing, retryForMs: 0 });
    this.#sockets = new RegisteredSockets({
      directory: this.#directory,
      fence: this.#fence,
      keys,
      incarnation: () => this.#incarnation.id,
      readerPosition: () => this.reader.position,
      socketsPerUserMax: options.socketsPerUserMax,
      closeSockets: (socketIds) => { this.#closeSurplus(socketIds); },
    });
    const forAdapter = { url: inside.redisUrl, name: `gateway-${realm}-adapter`, blockMs: options.readBlockMs, logger, onDropped };
    this.#adapterRedis = createAdapterRedis({ ...forAdapter, reader: this.reader });
    this.adapter = this.#createAdapter();
  }

  incarnation(): IncarnationId {
    return this.#incarnation.id;
  }

  addressOf(incarnation: string): string | undefined {
    return this.#incarnation.records.get(incarnation)?.address;
  }

  async start(nsp: Namespace): Promise<void> {
    this.#nsp = nsp;
    this.#fence.attach(nsp);
    // After the edge's own listener, in the same turn: the socket is welcomed and in its rooms.
    nsp.on('connection', (socket) => { this.#sockets.complete(socket); });
    this.volatile.follow(roomOf.realm, (body) => { if (!this.#acquaintance.hears(body)) this.#deliverVolatile(body as VolatileBroadcast); });
    await this.#incarnation.start();
    await this.#acquaintance.whenMade();
    // On an empty Redis nobody can emit for a while; ready means that it works.
    await delay(this.#incarnation.youngForMs);
    const gauge = gaugeTransport(this.#inside.metrics, this.realm, this.reader);
    this.#tick = setInterval(() => {
      gauge();
      this.#directory.tick();
      this.#sockets.expire();
    }, 1000);
  }

  connect(entry: ConnectEntry): Promise<{ position: string }> {
    return this.#sockets.connect(entry);
  }

  widen(socketId: string, rooms: readonly RoomName[]): Promise<void> {
    return this.#sockets.widen(socketId, rooms);
  }

  abandon(socketId: string): void {
    this.#sockets.leave(socketId);
  }

  disconnected(socketId: string): void {
    this.#sockets.leave(socketId);
  }

  enterZone(socketId: string, zone: ZoneId): Promise<void> {
    return this.#sockets.seat(socketId, zone);
  }

  leaveZone(socketId: string, zone: ZoneId): Promise<void> {
    return this.#sockets.seat(socketId, null, zone);
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
    // While Redis is away there is nothing to wait for; the others condemn what is left.
    await Promise.race([this.#directory.flush(), delay(flushMsMax, undefined, { ref: false })]);
    this.#directory.close();
    await this.#incarnation.stop();
    this.reader.close();
    await this.#nsp?.adapter.close();
    this.#adapterRedis.close();
    this.#inside.subscriber.disconnect();
    this.#inside.redis.disconnect();
  }

  stats(): object {
    return {
      incarnation: this.#incarnation.id,
      ...healthOf(this.#watched()),
      directory: this.#directory.size,
      sockets: this.#sockets.size,
      gateways: this.#incarnation.records.size,
      volatileChannels: this.volatile.followed(),
      emissionsInFlight: this.#router.inFlight,
      gaps: this.#gaps,
    };
  }

  check(): CheckResult {
    return judgeTransport(this.#watched(), this.stats());
  }

  #watched(): WatchedTransport {
    const { redis, subscriber, breaker } = this.#inside;
    return { redis, subscriber, breaker, adapterRedis: this.#adapterRedis, reader: this.reader, incarnation: this.#incarnation };
  }

  #createIncarnation(): Incarnation {
    const { realm, redis, keys, options, report } = this.#inside;
    return new Incarnation({
      ...options,
      redis,
      keys,
      position: () => this.reader.position,
      revision: () => this.#directory.revision,
      sockets: () => this.#nsp?.sockets.size ?? 0,
      draining: () => this.#draining,
      onLost: (gap) => { this.#lost(gap); },
      onRegistered: (inbox, position) => { this.#registered(inbox, position); },
      onGap: (reason) => { this.#heal(reason); },
      onCondemned: (incarnation) => { report('transport:condemned', { realm }, { incarnation }); },
      onError: (error, what) => { report('transport:registry-error', { realm, what }, { err: messageOf(error) }); },
    });
  }

  #createDirectory(): Directory {
    const { realm, redis, keys, options, report } = this.#inside;
    return new Directory({
      redis,
      keys,
      lingerMs,
      socketsPerUserMax: options.socketsPerUserMax,
      incarnation: () => this.#incarnation.id,
      position: () => this.reader.position,
      hasMembers: (room) => this.#nsp?.adapter.rooms.has(room) ?? false,
      onDead: () => { void this.#incarnation.renew(); },
      onError: (error) => { report('transport:directory-error', { realm }, { err: messageOf(error) }); },
    });
  }

  #createAdapter(): AdapterFactory {
    const { realm, keys, options, report } = this.#inside;
    return createRealmAdapter({
      client: this.#adapterRedis.client,
      keys,
      inbox: keys.inbox(this.#incarnation.id),
      router: this.#router,
      blockMs: options.readBlockMs,
      entriesMax: entriesPerRoundMax,
      onEntry: (message, id) => this.#fence.pass(message, id),
      onEntered: (rooms) => { this.#directory.entered(rooms); },
      onRoom: (room, exists) => {
        if (parseRoom(room)) this.#directory.touch(room as RoomName);
        else if (!exists) this.#sockets.leave(room);
      },
      onHandlerError: (error, id) => { report('transport:handler-error', { realm }, { id, err: messageOf(error) }); },
      onEmitFailed: atMostEverySecond((error: unknown, cause) => { report('transport:emit-failed', { realm, cause }, { err: messageOf(error) }); }),
      publishVolatile: (body) => { this.volatile.publish(roomOf.realm, body); },
    });
  }

  /** Nothing in Redis is ours any more: sockets are cut off, connections on their way are refused. */
  #lost(gap: GapReason | null): void {
    this.reader.hold();
    this.#sockets.reset();
    this.#directory.close();
    if (gap) this.#heal(gap);
  }

  #registered(inbox: string, position: string): void {
    this.reader.point(inbox, position);
    this.#directory.open(this.#directory.revision);
    this.#inside.report('transport:registered', { realm: this.realm }, { incarnation: this.#incarnation.id, position });
    for (const listener of this.#listeners) listener(this.#incarnation.id);
    this.#acquaintance.begin();
  }

  /** The one rule of gaps: no critical delivery to anybody present, close in slices, let them resume. */
  #heal(reason: GapReason): void {
    this.#gaps += 1;
    const sockets = this.#fence.cutAll();
    this.#inside.report('transport:gap', { realm: this.realm, reason }, { sockets });
  }

  #closeSurplus(socketIds: string[]): void {
    const reason = { code: 'session/replaced', message: 'A newer connection of the same player took the place of this one.' };
    const data = JSON.stringify({ opts: { rooms: socketIds, except: [], flags: {} }, close: true, reason });
    this.#router.route({ type: '6', rooms: [], everyone: true, data, logged: false }).catch((error: unknown) => {
      this.#inside.report('transport:emit-failed', { realm: this.realm, cause: 'unavailable' }, { err: messageOf(error) });
    });
  }

  #deliverVolatile({ packet, rooms, except }: VolatileBroadcast): void {
    if (!Array.isArray(rooms) || !Array.isArray(except)) return;
    this.#nsp?.adapter.broadcast(packet, { rooms: new Set(rooms), except: new Set(except), flags: { local: true, volatile: true } });
  }
}
