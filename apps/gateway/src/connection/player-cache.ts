import type { Player, PlayerQuery } from '@skirmish/database';
import { changeMemoryMs, isBinding } from '@skirmish/emitter';
import type { RealmId } from '@skirmish/protocol';

export interface CachedQuery extends PlayerQuery {
  readonly realm: RealmId;
}

export interface PlayerCacheOptions {
  readonly load: (query: PlayerQuery) => Promise<Player | null>;
  readonly ttlMs?: number;
  readonly entriesMax?: number;
  /** Milliseconds of a clock that is never set back: nothing may be believed for longer than its mark is kept. */
  readonly now?: () => number;
  /** An earlier reading had to do, because the database did not answer. */
  readonly onStale?: (query: CachedQuery, error: unknown) => void;
}

/** What was read, as of when and under which mark. */
interface Reading {
  readonly player: Player;
  readonly loadedAtMs: number;
  readonly mark: string | null;
}

/** A question that was asked at this time under this mark; what it gets may be an earlier reading, with a time and a mark of its own. */
interface Entry {
  readonly reading: Promise<Reading | null>;
  readonly loadedAtMs: number;
  readonly mark: string | null;
}

/**
 * What the database says about players. A reading counts for 30 s and only under the change mark that was taken from Redis before it: a fight that
 * began, a guild that was left or a ban makes it void on every gateway at once. Equal queries at the same time are one; a failed or empty
 * answer is not kept.
 *
 * While the database is away an earlier reading of the last ten minutes has to do, unless a change since then is binding: a reconnecting
 * player is not locked out by an outage, a banned one is.
 */
export class PlayerCache {
  readonly #load: PlayerCacheOptions['load'];
  readonly #ttlMs: number;
  readonly #entriesMax: number;
  readonly #now: () => number;
  readonly #onStale: NonNullable<PlayerCacheOptions['onStale']>;
  readonly #entries = new Map<string, Entry>();
  readonly #distrustedAtMs = new Map<RealmId, number>();

  constructor({ load, ttlMs = 30_000, entriesMax = 10_000, now = () => performance.now(), onStale = () => undefined }: PlayerCacheOptions) {
    this.#load = load;
    this.#ttlMs = ttlMs;
    this.#entriesMax = entriesMax;
    this.#now = now;
    this.#onStale = onStale;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The player as of this mark or later. Throws the database's error. */
  async get(query: CachedQuery, mark: string | null): Promise<Player | null> {
    const key = keyOf(query);
    const before = this.#entries.get(key);
    const entry = before?.mark === mark && this.#isFresh(query, before) ? before : this.#ask(key, query, mark, before);
    return (await entry.reading)?.player ?? null;
  }

  /** The marks of a realm may be lost: what was read until now counts no longer, unless the database is away. */
  distrust(realm: RealmId): void {
    this.#distrustedAtMs.set(realm, this.#now());
  }

  #isFresh({ realm }: CachedQuery, { loadedAtMs }: Entry): boolean {
    return this.#now() - loadedAtMs < this.#ttlMs && loadedAtMs > (this.#distrustedAtMs.get(realm) ?? -Infinity);
  }

  #ask(key: string, query: CachedQuery, mark: string | null, before: Entry | undefined): Entry {
    const loadedAtMs = this.#now();
    const entry: Entry = { reading: this.#read(query, { loadedAtMs, mark }, before), loadedAtMs, mark };
    this.#keep(key, entry);
    entry.reading.then(
      (reading) => { this.#settle(key, entry, reading); },
      () => { this.#settle(key, entry, null); },
    );
    return entry;
  }

  async #read(query: CachedQuery, asked: Omit<Reading, 'player'>, before: Entry | undefined): Promise<Reading | null> {
    const { realm: _realm, ...question } = query;
    try {
      const player = await this.#load(question);
      return player && { player, ...asked };
    } catch (error) {
      const earlier = (await before?.reading.catch(() => null)) ?? null;
      if (!earlier || !this.#mayDo(earlier, asked.mark)) throw error;
      this.#onStale(query, error);
      return earlier;
    }
  }

  #mayDo({ loadedAtMs, mark }: Reading, now: string | null): boolean {
    return this.#now() - loadedAtMs < changeMemoryMs && (mark === now || !isBinding(now));
  }

  /** An earlier reading that had to do stays as old as it is: the next connection asks the database again. */
  #settle(key: string, entry: Entry, reading: Reading | null): void {
    if (this.#entries.get(key) !== entry) return;
    if (!reading) this.#entries.delete(key);
    else if (reading.loadedAtMs !== entry.loadedAtMs || reading.mark !== entry.mark) this.#keep(key, { loadedAtMs: reading.loadedAtMs, mark: reading.mark, reading: entry.reading });
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#entriesMax && oldest !== undefined) this.#entries.delete(oldest);
  }
}

const keyOf = ({ realm, userId, characterId }: CachedQuery): string => `${realm} ${characterId ?? ''} ${userId}`;
