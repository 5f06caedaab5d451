import { TokenBuckets } from '../connection/token-buckets.ts';

export interface ForwardLimitsOptions {
  readonly perAddressPerSecond: number;
  /** Requests under way, of all clients. */
  readonly underWayMax?: number;
}

const burstSeconds = 5;
/** One address may have this share of what is under way: polls wait long, so a count protects where a rate does not. */
const shareOfOneAddress = 0.25;
const sweepIntervalMs = 30_000;

/** How much is passed on for one client address, so that nobody uses up the connections between gateways. */
export class ForwardLimits {
  readonly #rate: { ratePerSecond: number; burst: number };
  readonly #underWayMax: number;
  readonly #buckets = new TokenBuckets(1);
  readonly #underWay = new Map<string, number>();
  #sum = 0;
  #sweptAtMs = 0;

  constructor({ perAddressPerSecond, underWayMax = 4_096 }: ForwardLimitsOptions) {
    this.#rate = { ratePerSecond: perAddressPerSecond, burst: perAddressPerSecond * burstSeconds };
    this.#underWayMax = underWayMax;
  }

  get underWay(): number {
    return this.#sum;
  }

  /** Whether one more request may pass; then `release` has to follow. */
  take(address: string, nowMs: number = Date.now()): boolean {
    const own = this.#underWay.get(address) ?? 0;
    if (this.#sum >= this.#underWayMax || own >= this.#underWayMax * shareOfOneAddress) return false;
    if (nowMs - this.#sweptAtMs > sweepIntervalMs) {
      this.#sweptAtMs = nowMs;
      this.#buckets.sweep(nowMs);
    }
    if (this.#buckets.take(address, 'forward', this.#rate, nowMs) > 0) return false;
    this.#underWay.set(address, own + 1);
    this.#sum += 1;
    return true;
  }

  release(address: string): void {
    const rest = (this.#underWay.get(address) ?? 0) - 1;
    if (rest > 0) this.#underWay.set(address, rest);
    else this.#underWay.delete(address);
    this.#sum -= 1;
  }
}
