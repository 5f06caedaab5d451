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
  readonly now?: () => number;
  /** An earlier reading had to do, because the database did not answer. */
  readonly onStale?: (query: CachedQuery, error: unknown) => void;
}

interface Entry {
  readonly player: Promise<Player | null>;
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

  constructor({ load, ttlMs = 30_000, entriesMax = 10_000, now = Date.now, onStale = () => undefined }: PlayerCacheOptions) {
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
  get(query: CachedQuery, mark: string | null): Promise<Player | null> {
    const key = keyOf(query);
    const before = this.#entries.get(key);
    if (before?.mark === mark && this.#now() - before.loadedAtMs < this.#ttlMs) return before.player;
    const entry: Entry = { player: this.#read(key, query, mark, before), loadedAtMs: this.#now(), mark };
    this.#keep(key, entry);
    entry.player.then(
      (player) => { if (!player) this.#drop(key, entry); },
      () => { this.#drop(key, entry); },
    );
    return entry.player;
  }

  async #read(key: string, query: CachedQuery, mark: string | null, before: Entry | undefined): Promise<Player | null> {
    const { realm: _realm, ...question } = query;
    try {
      return await this.#load(question);
    } catch (error) {
      const earlier = before && this.#mayDo(before, mark) ? await before.player.catch(() => null) : null;
      if (!before || !earlier) throw error;
      this.#onStale(query, error);
      // As old as it is: the next connection asks the database again.
      this.#keep(key, before);
      return earlier;
    }
  }

  #mayDo({ loadedAtMs, mark }: Entry, now: string | null): boolean {
    return this.#now() - loadedAtMs < changeMemoryMs && (mark === now || !isBinding(now));
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#entriesMax && oldest !== undefined) this.#entries.delete(oldest);
  }

  #drop(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }
}

const keyOf = ({ realm, userId, characterId }: CachedQuery): string => `${realm} ${characterId ?? ''} ${userId}`;
