import { setTimeout as delay } from 'node:timers/promises';
import type { Emitter } from '@skirmish/emitter';
import { type CheckResult, createReporter } from '@skirmish/observability';
import type { CharacterId, IncarnationId, RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { InboxReader, Redis } from '@skirmish/redis';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import type { Namespace } from 'socket.io';
import type { AdapterFactory } from '../connection/redis-adapter.ts';
import { RealmCore } from './realm-core.ts';
import type { Arrival, ConnectEntry, OwnParty, RealmTransport, RoomMember, Standing } from './realm-transport-types.ts';
import { transportEvents } from './transport-events.ts';
import type { WatchedTransport } from './transport-health.ts';
import { givenUpAfterMs, gaugeTransport, guardRedis, healthOf, judgeTransport } from './transport-health.ts';
import type { RealmTransportParts, TransportInside } from './transport-parts.ts';

export type { RealmTransportParts, TransportOptions } from './transport-parts.ts';

/** How long a stop waits for the directory, milliseconds. */
const flushMsMax = 1000;

/**
 * The gateway's share of one realm: its connections to Redis, its place in registry and directory, the adapter of the namespace.
 * Holds five connections: commands, adapter commands, inbox reader, adapter subscriber, volatile subscriber.
 * Rejects when Redis does not answer within 10 s.
 */
export async function createRealmTransport(parts: RealmTransportParts): Promise<Transport> {
  const { realm, redisUrl, options, logger, metrics, health } = parts;
  const report = createReporter({ logger, metrics, events: transportEvents });
  const keys = keysOf(realm);
  const connection = { url: redisUrl, logger, socketTimeoutMs: givenUpAfterMs(options.readBlockMs) };
  const redis = createRedis({ ...connection, name: `gateway-${realm}`, role: 'command' });
  const subscriber = createRedis({ ...connection, name: `gateway-${realm}-volatile`, role: 'subscriber' });
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
  readonly volatile: RealmCore['volatile'];
  readonly reader: InboxReader;
  readonly redis: Redis;
  readonly #core: RealmCore;
  #tick: NodeJS.Timeout | null = null;

  constructor(inside: TransportInside) {
    this.#core = new RealmCore(inside);
    this.realm = inside.realm;
    this.redis = inside.redis;
    ({ emitter: this.emitter, adapter: this.adapter, volatile: this.volatile, reader: this.reader } = this.#core);
  }

  incarnation(): IncarnationId {
    return this.#core.incarnation.id;
  }

  async start(nsp: Namespace): Promise<void> {
    this.#core.nsp = nsp;
    this.#core.fence.attach(nsp);
    // After the edge's own listener, in the same turn: the socket is welcomed and in its rooms.
    nsp.on('connection', (socket) => { this.#core.sockets.complete(socket); });
    this.volatile.follow(roomOf.realm, this.#core.hearRealm);
    this.#core.keeper.start(nsp);
    await this.#core.incarnation.start();
    await this.#core.acquaintance.whenMade();
    // On an empty Redis nobody can emit for a while; ready means that it works.
    await delay(this.#core.incarnation.youngForMs);
    const gauge = gaugeTransport(this.#core.inside.metrics, this.realm, this.reader);
    this.#tick = setInterval(() => {
      gauge();
      this.#core.directory.tick();
      this.#core.sockets.expire();
    }, 1000);
  }

  connect(entry: ConnectEntry): Promise<{ position: string; party: OwnParty | null }> {
    return this.#core.sockets.connect(entry);
  }

  widen(socketId: string, rooms: readonly RoomName[]): Promise<void> {
    return this.#core.sockets.widen(socketId, rooms);
  }

  settle(socketId: string, rooms: readonly RoomName[], standing: (room: RoomName) => Standing): Promise<Arrival> {
    return this.#core.sockets.settle(socketId, rooms, standing);
  }

  resumeMalformed(): void {
    this.#core.resumes.malformed();
  }

  abandon(socketId: string): void {
    this.#core.sockets.abandon(socketId);
  }

  disconnected(socketId: string, resumable: boolean): void {
    this.#core.sockets.leave(socketId, resumable);
  }

  join(socketId: string, rooms: readonly RoomName[]): Promise<{ id: string }> {
    return this.#core.memberships.join(socketId, rooms);
  }

  leave(socketId: string, rooms: readonly RoomName[]): Promise<{ id: string }> {
    return this.#core.memberships.leave(socketId, rooms);
  }

  reserve(socketId: string, room: RoomName, usersMax: number): Promise<boolean> {
    return this.#core.directory.reserve(socketId, room, usersMax);
  }

  release(socketId: string, room: RoomName): void {
    this.#core.directory.note({ op: 'moved', socketId, room, at: this.reader.position, joined: false });
  }

  members(room: RoomName, cursor?: string, count?: number): Promise<{ members: RoomMember[]; cursor: string }> {
    return this.#core.memberships.members(room, cursor, count);
  }

  met(id: string): Promise<void> {
    return this.#core.memberships.whenMet(id);
  }

  addressOf(incarnation: string): string | undefined {
    return this.#core.incarnation.records.get(incarnation)?.address;
  }

  enterZone(socketId: string, zone: ZoneId): Promise<void> {
    return this.#core.sockets.seat(socketId, zone);
  }

  leaveZone(socketId: string, zone: ZoneId): Promise<void> {
    return this.#core.sockets.seat(socketId, null, zone);
  }

  population(zone: ZoneId): Promise<number> {
    return this.redis.hlen(this.#core.inside.keys.roster(zone));
  }

  async rosterHas(zone: ZoneId, characterIds: readonly CharacterId[]): Promise<boolean[]> {
    if (characterIds.length === 0) return [];
    const seats = await this.redis.hmget(this.#core.inside.keys.roster(zone), ...characterIds);
    return seats.map((seat) => seat !== null);
  }

  onIncarnation(listener: (id: IncarnationId) => void): void {
    this.#core.listeners.push(listener);
  }

  onReread(listener: (userIds: readonly UserId[]) => void): void {
    this.#core.rereadListeners.push(listener);
  }

  onPresence(listener: (body: unknown) => void): void {
    this.#core.presenceListeners.push(listener);
  }

  onVolatileGap(listener: () => void): void {
    this.#core.volatileGapListeners.push(listener);
  }

  /** Tells the others that no new connection is wanted; forwarding and delivery go on. */
  drain(): void {
    this.#core.draining = true;
    void this.#core.incarnation.renew();
  }

  async stop(): Promise<void> {
    if (this.#tick) clearInterval(this.#tick);
    this.#core.keeper.stop();
    this.#core.fence.stop();
    // While Redis is away there is nothing to wait for; the others condemn what is left.
    await Promise.race([this.#core.directory.flush(), delay(flushMsMax, undefined, { ref: false })]);
    this.#core.directory.close();
    await this.#core.incarnation.stop();
    this.reader.close();
    await this.#core.nsp?.adapter.close();
    this.#core.adapterRedis.close();
    this.#core.inside.subscriber.disconnect();
    this.redis.disconnect();
  }

  stats(): object {
    return {
      incarnation: this.#core.incarnation.id,
      ...healthOf(this.#watched()),
      directory: this.#core.directory.size,
      sockets: this.#core.sockets.size,
      gateways: this.#core.incarnation.records.size,
      volatileChannels: this.volatile.followed(),
      emissionsInFlight: this.#core.router.inFlight,
      gaps: this.#core.gaps,
    };
  }

  check(): CheckResult {
    return judgeTransport(this.#watched(), this.stats());
  }

  #watched(): WatchedTransport {
    const { inside, adapterRedis, incarnation } = this.#core;
    const { redis, subscriber, breaker } = inside;
    return { redis, subscriber, breaker, adapterRedis, reader: this.reader, incarnation };
  }
}
