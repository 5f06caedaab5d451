import { setTimeout as delay } from 'node:timers/promises';
import { roomOf } from '@skirmish/protocol';
import type { Incarnation } from './incarnation.ts';
import type { VolatileChannels } from './realm-transport-types.ts';

const lookAgainMs = 40;
/** A renewal may be a little late; who is silent for longer learns of us at its own next one. */
const silentAfterIntervals = 1.2;

/**
 * Whether the other gateways have read the registry since this one registered, so that they can forward to it what belongs to it.
 * Until then it takes no new connections: requests of their sessions would be refused elsewhere as unknown.
 */
export class Acquaintance {
  readonly #incarnation: Incarnation;
  readonly #channels: VolatileChannels;
  readonly #limitMs: number;
  #making: Promise<void> | null = null;

  constructor(incarnation: Incarnation, channels: VolatileChannels, renewIntervalMs: number) {
    this.#incarnation = incarnation;
    this.#channels = channels;
    this.#limitMs = renewIntervalMs * silentAfterIntervals;
  }

  get made(): boolean {
    return this.#making === null;
  }

  /** Resolves when {@link made}, at the latest after 1.2 renewals: a frozen gateway forwards nothing either. */
  async whenMade(): Promise<void> {
    await this.#making;
  }

  /** After each registration. */
  begin(): void {
    const making = this.#make().finally(() => {
      if (this.#making === making) this.#making = null;
    });
    this.#making = making;
  }

  /** Takes a message of the realm's channel that is an announcement; false when it is something else. */
  hears(body: unknown): boolean {
    if (typeof body !== 'object' || body === null || !('announces' in body)) return false;
    if (body.announces !== this.#incarnation.id) void this.#incarnation.renew();
    return true;
  }

  async #make(): Promise<void> {
    const until = performance.now() + this.#limitMs;
    await this.#incarnation.renew();
    const before = this.#othersAwake();
    this.#channels.publish(roomOf.realm, { announces: this.#incarnation.id });
    // A renewal reads the registry in the same step in which it is counted.
    const isWaiting = (): boolean => before.some(([id, renewals]) => this.#incarnation.records.get(id)?.renewals === renewals);
    while (isWaiting() && performance.now() < until) {
      await delay(lookAgainMs);
      await this.#incarnation.renew();
    }
  }

  #othersAwake(): (readonly [id: string, renewals: number])[] {
    const { records, id: own } = this.#incarnation;
    const nowMs = records.get(own)?.renewedAtMs ?? 0;
    const others = [...records].filter(([id, { renewedAtMs }]) => id !== own && renewedAtMs > nowMs - this.#limitMs);
    return others.map(([id, { renewals }]) => [id, renewals]);
  }
}
