import type { CombatId, GuildId, PartyId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { keysOf } from '@skirmish/redis';
import type { EmitOptions, EmittedEvent, Emitter } from './create-emitter.ts';
import type { Routed } from './router.ts';

/** A socket of a user, as the gateway that holds it has registered it. */
export interface UserSocket {
  socketId: string;
  /** Incarnation id of the gateway. */
  gateway: string;
  connectedAtMs: number;
  device: string;
}

/**
 * What a backend service can do with players: emit to them and ask who is there.
 *
 * Emissions are critical: ordered per room and replayed after a reconnect within the resume window. Questions are answered by one
 * look-up in Redis, never by asking all gateways; a gateway that died is gone from the answers within 15 s.
 *
 * @example
 * const realtime = new RealtimeService(createEmitter({ redis, realm }), redis);
 * await realtime.emitToUser(userId, 'app:gift', { item: 'sword' }, { idempotencyKey: 'gift-42' });
 */
export class RealtimeService {
  readonly #emitter: Emitter;
  readonly #redis: Redis;
  readonly #keys: RealmKeys;

  constructor(emitter: Emitter, redis: Redis) {
    this.#emitter = emitter;
    this.#redis = redis;
    this.#keys = keysOf(emitter.realm);
  }

  /** To every socket of one user. */
  emitToUser(userId: UserId, event: EmittedEvent, payload: object, options?: EmitOptions): Promise<Routed> {
    return this.#emit(roomOf.user(userId), event, payload, options);
  }

  emitToZone(zoneId: ZoneId, event: EmittedEvent, payload: object, options?: EmitOptions): Promise<Routed> {
    return this.#emit(roomOf.zone(zoneId), event, payload, options);
  }

  /** To the participants of a fight; spectators have a room of their own. */
  emitToCombat(combatId: CombatId, event: EmittedEvent, payload: object, options?: EmitOptions): Promise<Routed> {
    return this.#emit(roomOf.combat(combatId), event, payload, options);
  }

  emitToGuild(guildId: GuildId, event: EmittedEvent, payload: object, options?: EmitOptions): Promise<Routed> {
    return this.#emit(roomOf.guild(guildId), event, payload, options);
  }

  emitToParty(partyId: PartyId, event: EmittedEvent, payload: object, options?: EmitOptions): Promise<Routed> {
    return this.#emit(roomOf.party(partyId), event, payload, options);
  }

  /** To every connected player of the realm: costs every gateway a write per socket, so use it sparingly. */
  broadcastToAll(event: EmittedEvent, payload: object, options?: EmitOptions): Promise<Routed> {
    return this.#emit(roomOf.realm, event, payload, options);
  }

  /** All sockets of a user on all gateways, the oldest first; empty when offline. */
  async getUserSockets(userId: UserId): Promise<UserSocket[]> {
    const sockets = await this.#redis.hgetall(this.#keys.user(userId));
    return Object.entries(sockets)
      .map(([socketId, record]) => parseUserSocket(socketId, record))
      .filter((socket) => socket !== null)
      .sort((a, b) => a.connectedAtMs - b.connectedAtMs);
  }

  /** Whether the user has a socket now; no grace for a reconnect. */
  async isUserOnline(userId: UserId): Promise<boolean> {
    return (await this.#redis.exists(this.#keys.user(userId))) === 1;
  }

  /** Characters in a zone now. */
  getZonePopulation(zoneId: ZoneId): Promise<number> {
    return this.#redis.hlen(this.#keys.roster(zoneId));
  }

  /** Closes every socket of a user on all gateways; the user may connect anew. */
  disconnectUser(userId: UserId, reason: string): Promise<Routed> {
    return this.#emitter.disconnect({ rooms: [roomOf.user(userId)] }, { code: 'server/disconnected', message: reason });
  }

  #emit(room: RoomName, event: EmittedEvent, payload: object, options: EmitOptions = {}): Promise<Routed> {
    return this.#emitter.emit({ rooms: [room] }, event, payload, options);
  }
}

/** Reads a record of `user:<id>`, written by gateways as JSON; null when it is damaged. */
export function parseUserSocket(socketId: string, record: string): UserSocket | null {
  try {
    const value = JSON.parse(record) as { gateway?: unknown; connectedAtMs?: unknown; device?: unknown };
    if (typeof value.gateway !== 'string' || typeof value.connectedAtMs !== 'number') return null;
    return { socketId, gateway: value.gateway, connectedAtMs: value.connectedAtMs, device: typeof value.device === 'string' ? value.device : '' };
  } catch {
    return null;
  }
}
