import { createEmitter, Router } from '@skirmish/emitter';
import type { Emitter } from '@skirmish/emitter';
import type { IncarnationId, RealmId, RoomName, UserId } from '@skirmish/protocol';
import { isRoomName, isUserId, parseRoom, roomOf } from '@skirmish/protocol';
import type { AdapterRedis, InboxReader, Redis } from '@skirmish/redis';
import { createAdapterRedis, positionIntervalMs } from '@skirmish/redis';
import type { Namespace } from 'socket.io';
import type { AdapterFactory, VolatileBroadcast } from '../connection/redis-adapter.ts';
import { createRealmAdapter } from '../connection/redis-adapter.ts';
import { isPresence } from '../presence/announcement.ts';
import { Acquaintance } from './acquaintance.ts';
import { Directory } from './directory.ts';
import type { GapReason } from './incarnation.ts';
import { Incarnation } from './incarnation.ts';
import { Memberships } from './memberships.ts';
import type { VolatileChannels } from './realm-transport-types.ts';
import { RegisteredSockets } from './registered-sockets.ts';
import { Resumes } from './resumes.ts';
import { SessionKeeper } from './session-keeper.ts';
import { SocketFence } from './socket-fence.ts';
import { givenUpAfterMs } from './transport-health.ts';
import type { TransportInside } from './transport-parts.ts';
import { atMostEverySecond, createReader, entriesPerRoundMax, messageOf, routingOf } from './transport-parts.ts';
import { createVolatileChannels } from './volatile-channels.ts';

/** How long a directory entry outlives its last member, milliseconds. */
const lingerMs = 1000;
/** How long an emission of the edge is tried again, milliseconds: time for a reconnect. Only workers have the time for more. */
const edgeRetryMs = 250;

/** The parts of a gateway's share of one realm, made and joined together; what they do when Redis forgets us or an entry is missing. */
export class RealmCore {
  readonly realm: RealmId;
  readonly emitter: Emitter;
  /** Makes the adapter of the realm's namespace. */
  readonly adapter: AdapterFactory;
  readonly volatile: VolatileChannels & { followed: () => number };
  readonly reader: InboxReader;
  readonly redis: Redis;
  readonly inside: TransportInside;
  readonly incarnation: Incarnation;
  readonly acquaintance: Acquaintance;
  readonly directory: Directory;
  readonly fence: SocketFence;
  readonly resumes: Resumes;
  readonly sockets: RegisteredSockets;
  readonly memberships: Memberships;
  readonly keeper: SessionKeeper;
  readonly adapterRedis: AdapterRedis;
  readonly router: Router;
  readonly listeners: ((id: IncarnationId) => void)[] = [];
  readonly rereadListeners: ((userIds: readonly UserId[]) => void)[] = [];
  readonly presenceListeners: ((body: unknown) => void)[] = [];
  readonly volatileGapListeners: (() => void)[] = [];
  nsp: Namespace | null = null;
  draining = false;
  gaps = 0;

  constructor(inside: TransportInside) {
    const { realm, redis, subscriber, keys, options, logger, report } = inside;
    this.inside = inside;
    this.realm = realm;
    const onDropped = (what: string): void => { report('transport:dropped', { realm, what }); };
    const onGap = (): void => { for (const listener of this.volatileGapListeners) listener(); };
    this.volatile = createVolatileChannels({ publisher: redis, breaker: inside.breaker, subscriber, keys, onGap, onDropped });
    this.reader = createReader(inside, (reason) => { this.#heal(reason); });
    this.incarnation = this.#createIncarnation();
    this.acquaintance = new Acquaintance(this.incarnation, this.volatile, options.renewIntervalMs);
    this.directory = this.#createDirectory();
    const routing = routingOf(inside, () => this.incarnation.id);
    this.emitter = createEmitter({ ...routing, retryForMs: edgeRetryMs });
    this.router = new Router({ ...routing, retryForMs: 0 });
    this.redis = redis;
    const { metrics } = inside;
    this.resumes = new Resumes({ ...options, realm, redis, keys, metrics });
    this.memberships = this.#createMemberships();
    this.fence = new SocketFence({
      onJoin: (socketId, rooms) => { this.directory.expect(socketId, rooms.filter(isRoomName)); },
      at: this.memberships.at,
    });
    this.sockets = this.#createSockets();
    this.keeper = this.#createKeeper();
    const forAdapter = { url: inside.redisUrl, name: `gateway-${realm}-adapter`, blockMs: options.readBlockMs, socketTimeoutMs: givenUpAfterMs(options.readBlockMs), logger, onDropped };
    this.adapterRedis = createAdapterRedis({ ...forAdapter, reader: this.reader });
    this.adapter = this.#createAdapter();
  }

  #createIncarnation(): Incarnation {
    const { realm, redis, keys, options, report } = this.inside;
    return new Incarnation({
      ...options,
      redis,
      keys,
      position: () => this.reader.position,
      revision: () => this.directory.revision,
      sockets: () => this.nsp?.sockets.size ?? 0,
      draining: () => this.draining,
      onLost: (gap) => { this.#lost(gap); },
      onRegistered: (inbox, position) => { this.#registered(inbox, position); },
      onGap: (reason) => { this.#heal(reason); },
      onCondemned: (incarnation) => { report('transport:condemned', { realm }, { incarnation }); },
      onError: (error, what) => { report('transport:registry-error', { realm, what }, { err: messageOf(error) }); },
    });
  }

  #createDirectory(): Directory {
    const { realm, redis, keys, options, report } = this.inside;
    return new Directory({
      redis,
      keys,
      lingerMs,
      socketsPerUserMax: options.socketsPerUserMax,
      resumeWindowMs: options.resumeWindowMs,
      incarnation: () => this.incarnation.id,
      position: () => this.reader.position,
      hasMembers: (room) => this.nsp?.adapter.rooms.has(room) ?? false,
      onDead: () => { void this.incarnation.renew(); },
      onError: (error) => { report('transport:directory-error', { realm }, { err: messageOf(error) }); },
    });
  }

  #createMemberships(): Memberships {
    const { redis, keys } = this.inside;
    return new Memberships({
      redis,
      keys,
      router: this.router,
      incarnation: () => this.incarnation.id,
      readerPosition: () => this.reader.position,
      onMoved: (socketId, room, joined, at) => { this.sockets.moved(socketId, room, joined, at); },
    });
  }

  #createSockets(): RegisteredSockets {
    const { keys, options } = this.inside;
    return new RegisteredSockets({
      directory: this.directory,
      fence: this.fence,
      resumes: this.resumes,
      keys,
      incarnation: () => this.incarnation.id,
      readerPosition: () => this.reader.position,
      socketsPerUserMax: options.socketsPerUserMax,
      closeSockets: (socketIds) => { this.#closeSurplus(socketIds); },
      cutOff: ({ incarnation, socketId }) => {
        this.#closeSockets([socketId], { close: true, cut: true }, { only: incarnation });
      },
    });
  }

  #createKeeper(): SessionKeeper {
    return new SessionKeeper({
      intervalMs: positionIntervalMs(this.inside.options.resumeWindowMs),
      sessions: () => this.sockets.entries(),
      count: () => this.sockets.size,
      prolong: (sessions) => { this.directory.note({ op: 'touch', sessions }); },
      positionFor: (socketId) => (this.fence.isCurrent(socketId, this.reader.position) ? this.reader.position : null),
    });
  }

  #createAdapter(): AdapterFactory {
    const { realm, keys, options, report } = this.inside;
    return createRealmAdapter({
      client: this.adapterRedis.client,
      keys,
      inbox: keys.inbox(this.incarnation.id),
      router: this.router,
      blockMs: options.readBlockMs,
      entriesMax: entriesPerRoundMax,
      onEntry: (message, id) => this.fence.pass(message, id),
      onEntered: (rooms) => { this.directory.entered(rooms); },
      onRoom: (room, exists) => {
        if (parseRoom(room)) this.directory.touch(room as RoomName);
        // Without its own room a socket is gone; the edge, which knows why, says so in the same turn.
        else if (!exists) queueMicrotask(() => { this.sockets.leave(room, true); });
      },
      onMoved: this.memberships.moved,
      at: this.memberships.at,
      onMet: this.memberships.met,
      onReread: (rooms) => { this.#tellReread(rooms); },
      onHandlerError: (error, id) => { report('transport:handler-error', { realm }, { id, err: messageOf(error) }); },
      onEmitFailed: atMostEverySecond((error: unknown, cause) => { report('transport:emit-failed', { realm, cause }, { err: messageOf(error) }); }),
      publishVolatile: (body) => { this.volatile.publish(roomOf.realm, body); },
    });
  }

  #tellReread(rooms: readonly string[]): void {
    const userIds = rooms.flatMap((room) => {
      const parsed = parseRoom(room);
      return parsed?.kind === 'user' && isUserId(parsed.id) ? [parsed.id] : [];
    });
    for (const listener of this.rereadListeners) listener(userIds);
  }

  /** Nothing in Redis is ours any more: sockets are cut off, connections on their way are refused. */
  #lost(gap: GapReason | null): void {
    this.reader.hold();
    this.sockets.reset();
    this.memberships.reset();
    this.directory.close();
    if (gap) this.#heal(gap);
  }

  #registered(inbox: string, position: string): void {
    this.reader.point(inbox, position);
    this.directory.open(this.directory.revision);
    this.inside.report('transport:registered', { realm: this.realm }, { incarnation: this.incarnation.id, position });
    for (const listener of this.listeners) listener(this.incarnation.id);
    this.acquaintance.begin();
  }

  /** The one rule of gaps: no critical delivery to anybody present, close in slices, let them resume. */
  #heal(reason: GapReason): void {
    this.gaps += 1;
    const sockets = this.fence.cutAll();
    this.inside.report('transport:gap', { realm: this.realm, reason }, { sockets });
  }

  #closeSurplus(socketIds: string[]): void {
    const reason = { code: 'session/replaced', message: 'A newer connection of the same player took the place of this one.' };
    this.#closeSockets(socketIds, { close: true, reason }, { everyone: true });
  }

  #closeSockets(socketIds: string[], how: object, where: { everyone: true } | { only: string }): void {
    const data = JSON.stringify({ opts: { rooms: socketIds, except: [], flags: {} }, ...how });
    this.router.route({ type: '6', rooms: [], ...where, data, logged: false }).catch((error: unknown) => {
      this.inside.report('transport:emit-failed', { realm: this.realm, cause: 'unavailable' }, { err: messageOf(error) });
    });
  }

  /** Takes what came over the channel of the realm. */
  readonly hearRealm = (body: unknown): void => {
    if (this.acquaintance.hears(body)) return;
    if (isPresence(body)) for (const listener of this.presenceListeners) listener(body);
    else this.#deliverVolatile(body as VolatileBroadcast);
  };

  #deliverVolatile({ packet, rooms, except }: VolatileBroadcast): void {
    if (!Array.isArray(rooms) || !Array.isArray(except)) return;
    this.nsp?.adapter.broadcast(packet, { rooms: new Set(rooms), except: new Set(except), flags: { local: true, volatile: true } });
  }
}
