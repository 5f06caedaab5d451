import { randomBytes } from 'node:crypto';
import type { CombatId, DeliveryClass, GuildId, PartyId, RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { namespaceOf, reasonLengthMax, Rejection, roomOf } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { keysOf } from '@skirmish/redis';
import type { EmittedEvent, Emitter } from './create-emitter.ts';
import type { MailboxPort } from './mailbox.ts';
import { deliverMail, mailName } from './mailbox.ts';
import { PlayerChanges } from './player-changes.ts';
import type { RoomMembersPage } from './room-members.ts';
import { readRoomMembers } from './room-members.ts';
import type { ServiceEvent, ServiceRole } from './service-event.ts';
import { checkServiceEvent, serviceKey } from './service-event.ts';
import { endSessions } from './end-sessions.ts';
import { publishOnceScript, takeBroadcastScript } from './service-scripts.ts';
import type { UserSocket } from './user-socket.ts';
import { parseUserSocket } from './user-socket.ts';

/** One thing that a backend did, for the audit log; holds no payload. */
export interface ServiceAction {
  readonly action: 'emit' | 'broadcast' | 'user.disconnect';
  /** On whom: a room name, which for a user is escaped. */
  readonly target: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface RealtimeServiceOptions {
  /** Default `service`. */
  readonly role?: ServiceRole;
  /** Whose idempotency keys these are: two backends may use the same ones. Default: all in one. */
  readonly scope?: string;
  /** Needed for `ifOffline: 'mailbox'`. */
  readonly mailbox?: MailboxPort;
  /** Writes down what is about to be done; a rejection refuses it. Needed for `broadcastToAll`. */
  readonly audit?: (action: ServiceAction) => Promise<void>;
}

export interface ServiceEmitOptions {
  /** For `app:*`; built-in events have their own. `ephemeral` may be dropped and is never replayed. Default `critical`. */
  readonly class?: DeliveryClass;
  /** 1–200 characters; the same key within 10 minutes emits once. */
  readonly idempotencyKey?: string;
}

export interface UserEmitOptions extends ServiceEmitOptions {
  /** For critical events: what happens when the user has no socket now. Default `drop`. */
  readonly ifOffline?: 'drop' | 'mailbox';
}

export interface Emitted {
  /** Realm-clock id of a critical event, else a name for the logs. */
  readonly id: string;
  /** `mailed`: waits for the user's next welcome. `repeated`: done before, under the same key. */
  readonly outcome: 'emitted' | 'repeated' | 'mailed';
  /** Older mails that had to go, because the user's mailbox was full. */
  readonly dropped?: number;
}

const broadcastWindowMs = 10_000;
const keyMemoryMs = 600_000;
/** Stands under the key of an event that may be in the mailbox already: a repetition goes there as well, although the user may be online by then. */
const onItsWay = 'mailing';

/**
 * What a backend service can do with players of one realm: emit to them, ask who is there, disconnect them.
 *
 * Critical emissions are ordered per room and replayed after a reconnect within the resume window; ephemeral ones may be dropped.
 * Questions are answered by one look-up in Redis, never by asking gateways; a gateway that died is gone from the answers within 15 s.
 * Every error is a Rejection of the catalogue: `server/unavailable` and `server/busy` may be repeated under the same idempotency key.
 *
 * @example
 * const realtime = new RealtimeService(createEmitter({ redis, realm }), redis);
 * await realtime.emitToUser(userId, 'app:gift', { item: 'sword' }, { idempotencyKey: 'gift-42' });
 */
export class RealtimeService {
  readonly #emitter: Emitter;
  readonly #redis: Redis;
  readonly #keys: RealmKeys;
  readonly #options: RealtimeServiceOptions;
  readonly #changes: PlayerChanges;

  constructor(emitter: Emitter, redis: Redis, options: RealtimeServiceOptions = {}) {
    this.#emitter = emitter;
    this.#redis = redis;
    this.#keys = keysOf(emitter.realm);
    this.#options = options;
    this.#changes = new PlayerChanges(redis, emitter.realm);
  }

  /** To every socket of one user; to the mailbox when the user has none and `ifOffline` says so. */
  async emitToUser(userId: UserId, event: EmittedEvent, payload: object, options: UserEmitOptions = {}): Promise<Emitted> {
    const { ifOffline = 'drop', ...how } = options;
    const checked = this.#check(event, payload, how);
    const room = nameOf(() => roomOf.user(userId));
    if (ifOffline === 'drop') return this.#emit('emit', room, checked, how);
    const { mailbox } = this.#options;
    if (!mailbox || checked.class !== 'critical') throw new Rejection('payload/invalid', { path: 'ifOffline' });
    await this.#audit('emit', room, checked, options);
    return this.#emitOrMail(mailbox, userId, checked, how);
  }

  emitToZone(zoneId: ZoneId, event: EmittedEvent, payload: object, options?: ServiceEmitOptions): Promise<Emitted> {
    return this.#emitTo(() => roomOf.zone(zoneId), event, payload, options);
  }

  /** To the participants of a fight; spectators have a room of their own. */
  emitToCombat(combatId: CombatId, event: EmittedEvent, payload: object, options?: ServiceEmitOptions): Promise<Emitted> {
    return this.#emitTo(() => roomOf.combat(combatId), event, payload, options);
  }

  emitToGuild(guildId: GuildId, event: EmittedEvent, payload: object, options?: ServiceEmitOptions): Promise<Emitted> {
    return this.#emitTo(() => roomOf.guild(guildId), event, payload, options);
  }

  emitToParty(partyId: PartyId, event: EmittedEvent, payload: object, options?: ServiceEmitOptions): Promise<Emitted> {
    return this.#emitTo(() => roomOf.party(partyId), event, payload, options);
  }

  /**
   * To every connected player of the realm; costs every gateway a write per socket. Needs the role `system` and an audit, else
   * `auth/forbidden`; once per 10 s and realm, whoever asks, else `rate/limited` with the time that is left.
   */
  async broadcastToAll(event: EmittedEvent, payload: object, options: ServiceEmitOptions = {}): Promise<Emitted> {
    if (this.#options.role !== 'system' || !this.#options.audit) throw new Rejection('auth/forbidden');
    const checked = this.#check(event, payload, options);
    const key = this.#key(options);
    const limitKey = this.#keys.limit('broadcast');
    const args = [limitKey, this.#keys.emitted(key), key, broadcastWindowMs] as const;
    const retryAfterMs = await this.#ask(() => takeBroadcastScript.run(this.#redis, [this.#keys.clock], args));
    if (retryAfterMs > 0) throw new Rejection('rate/limited', { retryAfterMs });
    await this.#audit('broadcast', roomOf.realm, checked, options);
    return this.#send(roomOf.realm, checked, key);
  }

  /** All sockets of a user on all gateways, the oldest first; empty when offline. */
  async getUserSockets(userId: UserId): Promise<UserSocket[]> {
    const sockets = await this.#ask(() => this.#redis.hgetall(this.#keys.user(userId)));
    return Object.entries(sockets)
      .map(([socketId, record]) => parseUserSocket(socketId, record))
      .filter((socket) => socket !== null)
      .sort((a, b) => a.connectedAtMs - b.connectedAtMs);
  }

  /** Whether the user has a socket now; no grace for a reconnect. */
  async isUserOnline(userId: UserId): Promise<boolean> {
    return (await this.#ask(() => this.#redis.exists(this.#keys.user(userId)))) === 1;
  }

  /** Characters in a zone now. */
  getZonePopulation(zoneId: ZoneId): Promise<number> {
    return this.#ask(() => this.#redis.hlen(this.#keys.roster(zoneId)));
  }

  /** One page of the members of a room, about 200; `cursor` is that of the page before. */
  getRoomMembers(room: string, cursor: string | null = null): Promise<RoomMembersPage> {
    return this.#ask(() => readRoomMembers(this.#redis, this.#keys, room, cursor));
  }

  /**
   * Closes every socket of a user on all gateways with `session:closed { code: 'session/disconnected', message: reason }`; none of them can
   * be resumed, the user may connect anew. `sessions`: how many could have been resumed.
   */
  async disconnectUser(userId: UserId, reason: string): Promise<{ id: string; sessions: number }> {
    const room = nameOf(() => roomOf.user(userId));
    if (reason.length < 1 || reason.length > reasonLengthMax || !reason.isWellFormed() || reason.includes('\u0000')) throw new Rejection('payload/invalid', { path: 'reason' });
    await this.#write({ action: 'user.disconnect', target: room, details: { reason } });
    const { id, sessions } = await this.#ask(() => endSessions(this.#emitter, this.#redis, userId, { code: 'session/disconnected', message: reason }));
    return { id, sessions };
  }

  async #emitTo(room: () => RoomName, event: EmittedEvent, payload: object, how: ServiceEmitOptions = {}): Promise<Emitted> {
    return this.#emit('emit', nameOf(room), this.#check(event, payload, how), how);
  }

  #check(event: EmittedEvent, payload: object, how: ServiceEmitOptions): ServiceEvent {
    return checkServiceEvent(this.#options.role ?? 'service', event, payload, how.class);
  }

  #key({ idempotencyKey }: ServiceEmitOptions): string {
    return serviceKey(this.#options.scope ?? '', idempotencyKey);
  }

  async #emit(action: ServiceAction['action'], room: RoomName, event: ServiceEvent, how: ServiceEmitOptions): Promise<Emitted> {
    const key = this.#key(how);
    await this.#audit(action, room, event, how);
    return this.#send(room, event, key);
  }

  async #audit(action: ServiceAction['action'], target: RoomName, { event, class: carriedAs }: ServiceEvent, how: UserEmitOptions): Promise<void> {
    const { idempotencyKey, ifOffline } = how;
    await this.#write({ action, target, details: { event, class: carriedAs, idempotencyKey, ifOffline } });
  }

  async #write(action: ServiceAction): Promise<void> {
    const { audit } = this.#options;
    if (audit) await this.#ask(() => audit(action));
  }

  async #send(room: RoomName, { event, payload, class: carriedAs }: ServiceEvent, key: string): Promise<Emitted> {
    if (carriedAs === 'ephemeral') return this.#publish(room, event, payload, key);
    const { id, repeated } = await this.#ask(() => this.#emitter.emit({ rooms: [room] }, event, payload, { idempotencyKey: key }));
    return { id, outcome: repeated ? 'repeated' : 'emitted' };
  }

  /** Over Pub/Sub: to the gateways that have members of the room now, kept nowhere. */
  async #publish(room: RoomName, event: EmittedEvent, payload: object, key: string): Promise<Emitted> {
    const id = `ephemeral-${randomBytes(9).toString('base64url')}`;
    const body = ephemeralBody(this.#emitter.realm, room, event, payload);
    const args = [this.#keys.volatile(room), this.#keys.emitted(key), id, keyMemoryMs, body] as const;
    const published = await this.#ask(() => publishOnceScript.run(this.#redis, [this.#keys.clock], args));
    return { id, outcome: published ? 'emitted' : 'repeated' };
  }

  async #emitOrMail(mailbox: MailboxPort, userId: UserId, event: ServiceEvent, how: ServiceEmitOptions): Promise<Emitted> {
    const key = this.#key(how);
    const emittedKey = this.#keys.emitted(key);
    if (await this.isUserOnline(userId)) {
      const sent = await this.#send(roomOf.user(userId), event, key);
      if (sent.id !== onItsWay) return sent;
    } else if (how.idempotencyKey !== undefined) {
      const before = await this.#ask(() => this.#redis.set(emittedKey, onItsWay, 'PX', keyMemoryMs, 'NX', 'GET'));
      if (before !== null && before !== onItsWay) return { id: before, outcome: 'repeated' };
    }
    const mail = { realm: this.#emitter.realm, userId, event: event.event, payload: event.payload };
    const once = how.idempotencyKey === undefined ? {} : { idempotencyKey: key };
    const { mailId, repeated, dropped } = await this.#ask(() => mailbox.put({ ...mail, ...once }));
    const id = mailName(mailId);
    await this.#changes.mark([userId]);
    // From now on a repetition finds the mail, also when the user is online by then.
    if (how.idempotencyKey !== undefined) await this.#ask(() => this.#redis.set(emittedKey, id, 'PX', keyMemoryMs));
    // Whoever connected before the mail was there has looked for it in vain; whoever connects later finds it. It is kept in any case.
    if (await this.isUserOnline(userId)) await deliverMail(this.#emitter, mailbox, userId).catch(() => 0);
    return { id, outcome: repeated ? 'repeated' : 'mailed', ...(dropped > 0 ? { dropped } : {}) };
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (cause) {
      throw cause instanceof Rejection ? cause : new Rejection('server/unavailable', { cause });
    }
  }
}

/** As gateways read it: the channel of the realm carries whole broadcasts, those of rooms single events. */
function ephemeralBody(realm: RealmId, room: RoomName, event: EmittedEvent, payload: object): string {
  if (room !== roomOf.realm) return JSON.stringify({ v: 1, kind: 'event', event, payload, exceptRooms: [] });
  return JSON.stringify({ packet: { type: 2, nsp: namespaceOf(realm), data: [event, payload] }, rooms: [room], except: [] });
}

/** The name of a room, or the refusal of an id that did not pass its schema. */
function nameOf(make: () => RoomName): RoomName {
  try {
    return make();
  } catch {
    throw new Rejection('payload/invalid', { path: 'to' });
  }
}
