import type { UserId } from '@skirmish/protocol';

/** Users whose mutes are known at most; beyond it the one that was learnt first is forgotten, and learnt again from the cluster. */
const usersMax = 10_000;

/** Which features of which users are refused for a while, as far as this gateway knows. */
export class Mutes {
  readonly #users = new Map<UserId, Map<string, number>>();

  get userCount(): number {
    return this.#users.size;
  }

  /** Until `untilMs` of this process's clock; an end that is known to be later stays. */
  set(userId: UserId, feature: string, untilMs: number): void {
    let features = this.#users.get(userId);
    if (!features) {
      const [oldest] = this.#users.size >= usersMax ? this.#users.keys() : [];
      if (oldest !== undefined) this.#users.delete(oldest);
      features = new Map();
      this.#users.set(userId, features);
    }
    features.set(feature, Math.max(features.get(feature) ?? 0, untilMs));
  }

  /** Milliseconds that are left; 0 without a mute. */
  leftMs(userId: UserId, feature: string, nowMs: number): number {
    return Math.max(0, (this.#users.get(userId)?.get(feature) ?? 0) - nowMs);
  }

  /** Forgets what is over; call it now and then. */
  sweep(nowMs: number): void {
    for (const [userId, features] of this.#users) {
      for (const [feature, untilMs] of features) if (untilMs <= nowMs) features.delete(feature);
      if (features.size === 0) this.#users.delete(userId);
    }
  }
}
