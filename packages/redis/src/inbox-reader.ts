import { setTimeout as delay } from 'node:timers/promises';

/** One entry of an inbox as Redis returns it: id, then field, value, field, value, … */
export type InboxEntry = [id: string, fields: string[]];
type Reply = [key: string, entries: InboxEntry[]][] | null;
type Read = (blockMs: number, countMax: number, key: string, position: string) => Promise<Reply>;

/** Highest version of inbox entries that this code reads; entries without a version are version 1. */
export const inboxVersion = 1;

export interface InboxReaderOptions {
  /** Longest wait of one read round in Redis, milliseconds. */
  blockMs: number;
  /** Pause before a round when the one before it is younger than this and brought something, milliseconds. */
  coalesceMs: number;
  /** Entries of one round at most. */
  entriesMax: number;
  /** Without a finished round for this long, entries may have been trimmed unread, milliseconds. */
  gapAfterMs: number;
  /** Called once before the first entry after a possible gap is handed on. */
  onGap: (reason: 'reader-lag') => void;
  /** Called for each entry that is left out because no gateway could use it. */
  onInvalid: (id: string) => void;
  /** Entries of the round that are for somebody. */
  onRound?: (entries: number) => void;
}

/**
 * The way from one inbox to the adapter: knows the position, validates entries, coalesces rounds, backs off, notices gaps.
 *
 * The adapter asks for a stream name and an offset of its own; both are ignored, so the inbox may be exchanged while it runs.
 * Delivery is in the order of the realm clock, each entry handed over at most once.
 */
export class InboxReader {
  readonly #options: InboxReaderOptions;
  #key = '';
  #next = '0-0';
  #delivered = '0-0';
  #generation = 0;
  #failures = 0;
  #roundEndedAt = performance.now();
  /** When a read last reached the end of the inbox, or a gap was told. */
  #caughtUpAt = performance.now();
  #lastBrought = 0;
  #gate: { promise: Promise<void>; open: () => void } | null = openGate();
  #closed = false;

  constructor(options: InboxReaderOptions) {
    this.#options = options;
  }

  /** Reads `key` from after `position` on; replies for an inbox read before are thrown away. */
  point(key: string, position: string): void {
    this.#key = key;
    this.#next = position;
    this.#delivered = position;
    this.#generation += 1;
    this.#roundEndedAt = this.#caughtUpAt = performance.now();
    this.release();
  }

  /** Id of the last entry that the adapter has dealt with. */
  get position(): string {
    return this.#delivered;
  }

  /** Milliseconds since a round was last finished, with or without entries. */
  get silentMs(): number {
    return performance.now() - this.#roundEndedAt;
  }

  /** How far delivery is behind the end of the inbox at most, milliseconds; 0 when the last round reached it and the next one is not overdue. */
  get lagMs(): number {
    const overdueMs = this.silentMs - 2 * this.#options.blockMs;
    if (this.#lastBrought < this.#options.entriesMax && overdueMs <= 0) return 0;
    return performance.now() - this.#caughtUpAt;
  }

  /** Stops handing on entries until {@link release}; for tests and for operators who look into a gateway. */
  hold(): void {
    this.#gate ??= openGate();
  }

  release(): void {
    this.#gate?.open();
    this.#gate = null;
  }

  close(): void {
    this.#closed = true;
    this.release();
  }

  /** One round for the adapter's loop. Rejects after a back-off when Redis fails, never at once: the loop has no pause of its own. */
  async round(read: Read): Promise<Reply> {
    this.#delivered = this.#next;
    if (this.#gate) await this.#gate.promise;
    await this.#coalesce();
    const generation = this.#generation;
    try {
      const reply = await read(this.#options.blockMs, this.#options.entriesMax, this.#key, this.#next);
      this.#failures = 0;
      return await this.#accept(reply, generation);
    } catch (error) {
      await this.#backOff();
      throw error;
    }
  }

  async #coalesce(): Promise<void> {
    const { coalesceMs } = this.#options;
    if (coalesceMs > 0 && this.#lastBrought > 0 && this.silentMs < coalesceMs) await delay(coalesceMs);
  }

  async #accept(reply: Reply, generation: number): Promise<Reply> {
    if (this.#gate) await this.#gate.promise;
    if (generation !== this.#generation) return null;
    const now = performance.now();
    if (now - this.#caughtUpAt > this.#options.gapAfterMs) {
      this.#caughtUpAt = now;
      this.#options.onGap('reader-lag');
    }
    // The gap handler may have pointed the reader elsewhere.
    if (generation !== this.#generation) return null;
    this.#roundEndedAt = performance.now();
    const entries = reply?.[0]?.[1] ?? [];
    this.#lastBrought = entries.length;
    if (entries.length < this.#options.entriesMax) this.#caughtUpAt = this.#roundEndedAt;
    this.#options.onRound?.(entries.filter(([, fields]) => !isMark(fields)).length);
    const last = entries.at(-1);
    if (!last) return null;
    this.#next = last[0];
    return [[this.#key, entries.filter((entry) => this.#usable(entry))]];
  }

  #usable(entry: InboxEntry): boolean {
    const verdict = judgeEntry(entry[1]);
    if (verdict === 'invalid') this.#options.onInvalid(entry[0]);
    return verdict === 'usable';
  }

  async #backOff(): Promise<void> {
    if (this.#closed) {
      // The adapter's loop ends by itself once it is aborted; until then it must not spin.
      await delay(250, undefined, { ref: false });
      return;
    }
    this.#failures = Math.min(this.#failures + 1, 6);
    await delay(25 * 2 ** this.#failures * (0.5 + Math.random()));
  }
}

/** An entry for nobody: it opens an inbox or keeps its end young. */
const isMark = (fields: readonly string[]): boolean => fields[2] === 'type' && fields[3] === '0';

/** `skip` is for entries that are meant for nobody (the mark that opens an inbox); `invalid` ones are counted. */
export function judgeEntry(fields: string[]): 'usable' | 'skip' | 'invalid' {
  let nsp = '';
  let type = '';
  let data = '';
  let version = '1';
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1] ?? '';
    if (fields[i] === 'nsp') nsp = value;
    else if (fields[i] === 'type') type = value;
    else if (fields[i] === 'data') data = value;
    else if (fields[i] === 'v') version = value;
  }
  if (type === '0') return 'skip';
  if (Number(version) > inboxVersion + 1) return 'invalid';
  const known = type === '3' || type === '4' || type === '5' || type === '6';
  return known && nsp !== '' && data.startsWith('{') && data.endsWith('}') ? 'usable' : 'invalid';
}

function openGate(): { promise: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return {
    promise,
    open: () => {
      resolve(undefined);
    },
  };
}
