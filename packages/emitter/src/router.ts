import { randomBytes } from 'node:crypto';
import type { RealmId, RoomName } from '@skirmish/protocol';
import { namespaceOf, Rejection } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { keysOf, logRetentionMs } from '@skirmish/redis';
import type { EntryType, RouteRefusal } from './route-script.ts';
import { entryType, routeScript } from './route-script.ts';
import type { Attempt } from './try-again.ts';
import { tryAgain } from './try-again.ts';

/** One emission as the routing script takes it. */
export interface Emission {
  type: EntryType;
  /** Rooms whose members are meant; never empty, the whole realm is the room `realm`. */
  rooms: readonly RoomName[];
  /** Write to every incarnation, whatever the directory says; for targets that the directory does not know, like a socket id. */
  everyone?: boolean;
  /** Write to this incarnation alone; what it holds itself, like one of its sockets. */
  only?: string;
  /** The entry's content, JSON text of an object. */
  data: string;
  /** Rooms that the members of `rooms` join (type join only): entered in the directory in the same step. */
  joined?: readonly RoomName[];
  /** Whether a resume takes it into account: broadcasts are replayed, joins and leaves made to the rooms are followed. */
  logged: boolean;
  /** The same key twice within 10 minutes is emitted once. Without one the emission is protected against resends only. */
  idempotencyKey?: string;
  /** A lane counts its emissions: one that is not above the lane's last one has been emitted before. */
  lane?: { name: string; seq: number };
}

export interface RouterOptions {
  redis: Redis;
  realm: RealmId;
  /** Incarnation on whose behalf is emitted, if any: the condemned are refused. */
  incarnation?: () => string;
  /** How long an emission is tried again while Redis is away or its data set is young, milliseconds. 0: not at all. */
  retryForMs: number;
  /** Emissions under way at most; beyond it they are refused with `server/busy`. Default 5,000. */
  inFlightMax?: number;
  /** The resume window, milliseconds: room logs keep critical events a little longer. The same in all processes of a realm. */
  logWindowMs?: number;
  /** How long inboxes keep entries, milliseconds. */
  inboxRetentionMs?: number;
  /** Age of a data set below which emissions are refused, milliseconds, so that gateways can register first. */
  epochGraceMs?: number;
  observer?: RouterObserver;
}

/** What a router tells about its work, for metrics. */
export interface RouterObserver {
  routed?(this: void, inboxes: number, gaps: number): void;
  refused?(this: void, reason: RouteRefusal | 'unavailable' | 'busy'): void;
  repeated?(this: void): void;
}

export interface Routed {
  /** Realm-clock id of the emission: its place in the one order of the realm. */
  id: string;
  /** True when an earlier call had emitted it already. */
  repeated: boolean;
}

/** Place of the emitting incarnation in the script's arguments. */
const fromIndex = 11;
const idempotencyTtlMs = 600_000;
const resendTtlMs = 60_000;

/**
 * Sends emissions through the routing script of one realm.
 *
 * Order: an emission that begins after another has resolved is after it in every inbox. Those under way together keep their order
 * as long as none has to be tried again. Delivery to inboxes is at most once per idempotency key, and once when the promise resolves.
 */
export class Router {
  readonly #options: RouterOptions;
  readonly #keys: RealmKeys;
  readonly #namespace: string;
  #inFlight = 0;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#keys = keysOf(options.realm);
    this.#namespace = namespaceOf(options.realm);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Emits once. Rejects with `server/unavailable` when it could not within `retryForMs`, with `server/busy` when too many are under way.
   * After a rejection the emission may still have happened; the same idempotency key makes a repetition safe.
   */
  async route(emission: Emission): Promise<Routed> {
    if (emission.rooms.length === 0 && !emission.everyone && emission.only === undefined) throw new TypeError('an emission names at least one room');
    if (this.#inFlight >= (this.#options.inFlightMax ?? 5000)) {
      this.#options.observer?.refused?.('busy');
      throw new Rejection('server/busy');
    }
    this.#inFlight += 1;
    try {
      return await this.#try(this.#argumentsOf(emission));
    } finally {
      this.#inFlight -= 1;
    }
  }

  #try(args: Parameters<typeof routeScript.run>[2]): Promise<Routed> {
    // An incarnation may be replaced while an emission waits.
    return tryAgain(this.#options.retryForMs, () => this.#once(args.with(fromIndex, this.#options.incarnation?.() ?? '') as unknown as typeof args));
  }

  async #once(args: Parameters<typeof routeScript.run>[2]): Promise<Attempt<Routed>> {
    const { redis, observer } = this.#options;
    try {
      const reply = await routeScript.run(redis, [this.#keys.clock], args);
      if (reply.outcome === 'refused') {
        observer?.refused?.(reply.reason);
        return { ok: false, retryAfterMs: reply.retryAfterMs, cause: reply.reason };
      }
      if (reply.outcome === 'repeated') observer?.repeated?.();
      else observer?.routed?.(reply.inboxes, reply.gaps);
      return { ok: true, value: { id: reply.id, repeated: reply.outcome === 'repeated' } };
    } catch (cause) {
      observer?.refused?.('unavailable');
      return { ok: false, retryAfterMs: 1000, cause };
    }
  }

  #argumentsOf(emission: Emission): Parameters<typeof routeScript.run>[2] {
    const { logWindowMs = 120_000, inboxRetentionMs = 60_000, epochGraceMs = 5000 } = this.#options;
    const { idempotencyKey, lane, rooms, joined = [] } = emission;
    // A lane's counter already knows what was emitted; everything else gets a key before the first send, because the client
    // sends a command again when the connection breaks before its reply.
    const key = lane ? '' : this.#keys.emitted(idempotencyKey ?? `auto-${randomBytes(12).toString('base64url')}`);
    return [
      this.#keys.prefix,
      emission.type,
      this.#namespace,
      emission.data,
      key,
      idempotencyKey === undefined ? resendTtlMs : idempotencyTtlMs,
      lane ? this.#keys.laneEmitted(lane.name) : '',
      lane?.seq ?? 0,
      emission.logged && emission.type !== entryType.disconnect ? logRetentionMs(logWindowMs) : 0,
      inboxRetentionMs,
      epochGraceMs,
      '',
      scopeOf(emission),
      rooms.length,
      ...rooms,
      ...joined,
    ];
  }
}

function scopeOf({ only, everyone }: Emission): 'rooms' | 'everyone' | `only:${string}` {
  if (only !== undefined) return `only:${only}`;
  return everyone ? 'everyone' : 'rooms';
}
