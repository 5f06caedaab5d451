import { type RateLimit, TokenBuckets } from './token-buckets.ts';

const burstSeconds = 5;
const sweepIntervalMs = 30_000;

/** How often one client address may do one thing: so many per second, saved up for five seconds. Remembers at most 50,000 addresses. */
export class AddressRate {
  readonly #limit: RateLimit;
  readonly #buckets = new TokenBuckets(1);
  #sweptAtMs = 0;

  constructor(perSecond: number) {
    this.#limit = { ratePerSecond: perSecond, burst: perSecond * burstSeconds };
  }

  /** Whether once more is allowed, which then counts. */
  take(address: string, nowMs: number = Date.now()): boolean {
    if (nowMs - this.#sweptAtMs > sweepIntervalMs) {
      this.#sweptAtMs = nowMs;
      this.#buckets.sweep(nowMs);
    }
    return this.#buckets.take(address, '', this.#limit, nowMs) === 0;
  }
}
