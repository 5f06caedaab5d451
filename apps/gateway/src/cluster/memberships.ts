import type { Router } from '@skirmish/emitter';
import { entryType } from '@skirmish/emitter';
import { Rejection } from '@skirmish/protocol';
import type { CharacterId, RoomName, UserId } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { compareStreamIds } from '@skirmish/redis';

/** A socket in a room, on whatever gateway. */
export interface RoomMember {
  readonly socketId: string;
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
}

export interface MembershipsOptions {
  redis: Redis;
  keys: RealmKeys;
  router: Router;
  incarnation: () => string;
  readerPosition: () => string;
  /** A socket here has joined or left a room at this realm-clock id. */
  onMoved: (socketId: string, room: string, joined: boolean, at: string) => void;
}

/** How long a join or leave waits until this gateway's reader has met it, milliseconds. */
const effectMsMax = 5_000;

interface Waiter {
  id: string;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * Joins and leaves of sockets here at exact places in the order of the realm: each goes through the routing script into this gateway's
 * own inbox, and takes effect where the reader meets it.
 */
export class Memberships {
  readonly #options: MembershipsOptions;
  #at: string | null = null;
  #met = '0-0';
  #waiters: Waiter[] = [];

  constructor(options: MembershipsOptions) {
    this.#options = options;
  }

  /** Runs a change that belongs to an entry of the inbox. */
  readonly at = (position: string, change: () => void): void => {
    const before = this.#at;
    this.#at = position;
    try {
      change();
    } finally {
      this.#at = before;
    }
  };

  /** Told by the adapter of every change; one outside an entry belongs to the reader's position. */
  readonly moved = (socketId: string, room: string, joined: boolean): void => {
    this.#options.onMoved(socketId, room, joined, this.#at ?? this.#options.readerPosition());
  };

  /** An entry has taken effect here. */
  readonly met = (id: string): void => {
    this.#met = id;
    if (this.#waiters.length === 0) return;
    const done = this.#waiters.filter((waiter) => compareStreamIds(waiter.id, id) <= 0);
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve();
  };

  /** Another inbox from now on: who waits for an entry of the old one is refused. */
  reset(): void {
    this.#met = '0-0';
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(new Rejection('server/unavailable'));
  }

  /**
   * Lets a socket here join rooms. Resolves to the realm-clock id after which every event of the rooms reaches it, when that is so.
   * Rejects with `server/unavailable` or `server/busy`; the join may still happen then.
   */
  join(socketId: string, rooms: readonly RoomName[]): Promise<{ id: string }> {
    return this.#route(entryType.join, socketId, rooms);
  }

  /** Lets a socket here leave rooms; what was emitted before still reaches it. */
  leave(socketId: string, rooms: readonly RoomName[]): Promise<{ id: string }> {
    return this.#route(entryType.leave, socketId, rooms);
  }

  /**
   * Resolves when this gateway's reader has met everything up to this realm-clock id; rejects with `server/unavailable` when that takes longer than
   * 5 s, or the inbox is another one meanwhile.
   */
  async whenMet(id: string): Promise<void> {
    if (compareStreamIds(this.#met, id) < 0) await this.#effect(id);
  }

  /** One page of the members of a room, on all gateways; `cursor` is `'0'` at the beginning and in the end. Not for rooms of users. */
  async members(room: RoomName, cursor = '0', count = 200): Promise<{ members: RoomMember[]; cursor: string }> {
    const [next, pairs] = await this.#options.redis.hscan(this.#options.keys.members(room), cursor, 'COUNT', count);
    const members: RoomMember[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const member = parseMember(pairs[i] ?? '', pairs[i + 1] ?? '');
      if (member) members.push(member);
    }
    return { members, cursor: next };
  }

  async #route(type: '4' | '5', socketId: string, rooms: readonly RoomName[]): Promise<{ id: string }> {
    const data = JSON.stringify({ opts: { rooms: [socketId], except: [], flags: {} }, rooms });
    const joined = type === entryType.join ? rooms : [];
    const { id } = await this.#options.router.route({ type, rooms: [], only: this.#options.incarnation(), data, joined, logged: false });
    await this.whenMet(id);
    return { id };
  }

  async #effect(id: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => { reject(new Rejection('server/unavailable')); }, effectMsMax);
    const waiter: Waiter = { id, resolve: () => { resolve(undefined); }, reject };
    this.#waiters.push(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters = this.#waiters.filter((each) => each !== waiter);
    }
  }
}

function parseMember(socketId: string, encoded: string): RoomMember | null {
  try {
    const { userId, characterId } = JSON.parse(encoded) as { userId?: unknown; characterId?: unknown };
    if (typeof userId !== 'string') return null;
    const character = typeof characterId === 'string' && characterId !== '' ? (characterId as CharacterId) : null;
    return { socketId, userId: userId as UserId, characterId: character };
  } catch {
    return null;
  }
}
