import { AddressRate } from '../connection/address-rate.ts';

export interface ForwardLimitsOptions {
  readonly perAddressPerSecond: number;
  /** Requests under way, of all clients. */
  readonly underWayMax?: number;
}

/** One address may have this share of what is under way: polls wait long, so a count protects where a rate does not. */
const shareOfOneAddress = 0.25;

/** How much is passed on for one client address, so that nobody uses up the connections between gateways. */
export class ForwardLimits {
  readonly #rate: AddressRate;
  readonly #underWayMax: number;
  readonly #underWay = new Map<string, number>();
  #sum = 0;

  constructor({ perAddressPerSecond, underWayMax = 4_096 }: ForwardLimitsOptions) {
    this.#rate = new AddressRate(perAddressPerSecond);
    this.#underWayMax = underWayMax;
  }

  get underWay(): number {
    return this.#sum;
  }

  /** Whether one more request may pass; then `release` has to follow. */
  take(address: string): boolean {
    const own = this.#underWay.get(address) ?? 0;
    if (this.#sum >= this.#underWayMax || own >= this.#underWayMax * shareOfOneAddress) return false;
    if (!this.#rate.take(address)) return false;
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
