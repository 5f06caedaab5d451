import type { Player, PlayerQuery } from '@skirmish/database';

export interface PlayerCacheOptions {
  readonly load: (query: PlayerQuery) => Promise<Player | null>;
  readonly ttlMs?: number;
  readonly entriesMax?: number;
  readonly now?: () => number;
}

interface Entry {
  readonly player: Promise<Player | null>;
  readonly loadedAtMs: number;
}

/**
 * What the database says about players, for at most 30 s: a reconnect storm costs one query per player, and equal queries
 * at the same time are one. A failed or empty answer is not kept.
 */
export class PlayerCache {
  readonly #load: PlayerCacheOptions['load'];
  readonly #ttlMs: number;
  readonly #entriesMax: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor({ load, ttlMs = 30_000, entriesMax = 10_000, now = Date.now }: PlayerCacheOptions) {
    this.#load = load;
    this.#ttlMs = ttlMs;
    this.#entriesMax = entriesMax;
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The player as of the last 30 s. Throws the database's error. */
  get(query: PlayerQuery): Promise<Player | null> {
    const entry = this.#entries.get(keyOf(query));
    if (entry && this.#now() - entry.loadedAtMs < this.#ttlMs) return entry.player;
    return this.refresh(query);
  }

  /** The player as of now; what it finds is kept. */
  refresh(query: PlayerQuery): Promise<Player | null> {
    const key = keyOf(query);
    const entry = { player: this.#load(query), loadedAtMs: this.#now() };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#entriesMax && oldest !== undefined) this.#entries.delete(oldest);
    entry.player.then(
      (player) => { if (!player) this.#drop(key, entry); },
      () => { this.#drop(key, entry); },
    );
    return entry.player;
  }

  #drop(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }
}

const keyOf = ({ userId, characterId }: PlayerQuery): string => `${characterId ?? ''} ${userId}`;
