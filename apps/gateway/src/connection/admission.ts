import { type RefusalCode, Rejection } from '@skirmish/protocol';
import { AddressRate } from './address-rate.ts';
import type { RateLimit } from './token-buckets.ts';

export interface AdmissionOptions {
  /** New sessions of the whole gateway. */
  readonly handshakes: RateLimit;
  /** New sessions of one client address per second, saved up for five. Without it there is no such limit. */
  readonly handshakesPerAddress?: number;
  /** Open sessions of one client address; many players may share one behind a NAT. */
  readonly socketsPerAddressMax: number;
  readonly now?: () => number;
  /** From 0 to 1, as `Math.random`. */
  readonly random?: () => number;
}

/** Refused clients come back over this time, so that those who were refused together do not return together. */
const jitterMs = 2_000;

/** A session that counts until it closes; the part of an Engine.IO socket that is needed. */
interface Closing {
  once(event: 'close', listener: () => void): unknown;
}

/**
 * How many sessions may begin: a token bucket for the handshakes of the gateway and a count of open sessions per address.
 * Both are asked before anything is kept for a client. An address is forgotten with its last session.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #addressRate: AddressRate | null;
  readonly #sessions = new Map<string, number>();
  #tokens: number;
  #refilledAtMs: number;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    this.#addressRate = options.handshakesPerAddress === undefined ? null : new AddressRate(options.handshakesPerAddress);
    this.#tokens = options.handshakes.burst;
    this.#refilledAtMs = this.#now();
  }

  get addressCount(): number {
    return this.#sessions.size;
  }

  /** Why a handshake from this address is refused, or null. Only a handshake that is let in takes a token. */
  refuse(address: string): Rejection | null {
    const open = this.#sessions.get(address) ?? 0;
    if (open >= this.#options.socketsPerAddressMax) return this.busy('rate/limited');
    this.#refill();
    // The address last: its own bucket counts what it asks for, so it must not pay for a gateway that is busy with others.
    if (this.#tokens < 1 || this.#addressRate?.take(address) === false) return this.busy('server/busy');
    this.#tokens -= 1;
    return null;
  }

  /** A refusal with a hint that differs from client to client. */
  busy(code: RefusalCode & ('rate/limited' | 'server/busy')): Rejection {
    return new Rejection(code, { retryAfterMs: Math.round(1_000 + this.#random() * jitterMs) });
  }

  /** Counts a session of the address until it closes. */
  opened(address: string, session: Closing): void {
    this.#sessions.set(address, (this.#sessions.get(address) ?? 0) + 1);
    session.once('close', () => {
      const rest = (this.#sessions.get(address) ?? 1) - 1;
      if (rest > 0) this.#sessions.set(address, rest);
      else this.#sessions.delete(address);
    });
  }

  #refill(): void {
    const nowMs = this.#now();
    const { ratePerSecond, burst } = this.#options.handshakes;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#refilledAtMs) * ratePerSecond) / 1000);
    this.#refilledAtMs = nowMs;
  }
}
