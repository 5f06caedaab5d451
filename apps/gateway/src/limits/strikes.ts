import type { AddedStrikes, NewStrikes, StrikeRules } from '@skirmish/database';
import type { UserId } from '@skirmish/protocol';
import type { GatewayMetrics } from '../metrics.ts';
import { allFeatures, faded, type Step, stepFor, type Thresholds } from './ladder.ts';
import type { Mutes } from './mutes.ts';

/** Does the steps; never rejects, and resolves to false when one is not in force. */
export interface StepTaker {
  take(step: Step, userId: UserId, score: number): Promise<boolean>;
  mute(userId: UserId, feature: string, forMs: number): Promise<boolean>;
}

export interface StrikesOptions {
  readonly thresholds: Thresholds;
  readonly rules: StrikeRules;
  /** Adds to what the cluster knows, in one statement. */
  readonly add: (strikes: readonly NewStrikes[]) => Promise<AddedStrikes[]>;
  readonly consequences: StepTaker;
  readonly mutes: Mutes;
  readonly metrics: Pick<GatewayMetrics, 'report' | 'strikes'>;
  /** Time from the first strike to the statement that carries it and all that came meanwhile. */
  readonly flushAfterMs?: number;
}

/** Bounds of what waits to be written; strikes of further users are counted as dropped, and those beyond a flush wait for the next one. */
export const strikesLimits = { usersMax: 10_000, usersPerFlushMax: 1_000 } as const;

/** Strikes of one user that the cluster does not know yet. */
interface Unwritten {
  readonly counts: Map<string, number>;
  /** Up to where this gateway has decided alone, while Postgres was away. */
  decided: number;
  /** Since when it is kept because it could not be written; from then on it fades here. */
  keptSinceMs: number | null;
}

/**
 * Sums up the strikes of all users here and lets the cluster's total decide: at most one statement per second, none while nobody strikes.
 *
 * While Postgres is away what was seen here decides and is kept, fading, until it can be written; a step that was taken meanwhile is not
 * taken again. A process that dies loses at most a second of strikes, and a step that it was about to take.
 */
export class Strikes {
  readonly #options: StrikesOptions;
  readonly #unwritten = new Map<UserId, Unwritten>();
  #timer: NodeJS.Timeout | null = null;
  #flushing: Promise<void> | null = null;
  #stopped = false;

  constructor(options: StrikesOptions) {
    this.#options = options;
  }

  /** Users whose strikes wait to be written. */
  get userCount(): number {
    return this.#unwritten.size;
  }

  /** Called for each refused event, so it does next to nothing. */
  count(userId: UserId, feature: string, strikes: number): void {
    const { metrics } = this.#options;
    metrics.strikes.inc({ feature: feature === allFeatures ? 'connection' : feature }, strikes);
    let user = this.#unwritten.get(userId);
    if (!user) {
      if (this.#unwritten.size >= strikesLimits.usersMax) return metrics.report('strikes-dropped', {});
      user = { counts: new Map(), decided: 0, keptSinceMs: null };
      this.#unwritten.set(userId, user);
      this.#schedule();
    }
    increase(user.counts, allFeatures, strikes);
    if (feature !== allFeatures) increase(user.counts, feature, strikes);
  }

  /** Writes what there is once more; nothing follows from it here. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#flushing;
    await this.#flush();
  }

  #schedule(): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#flushing = this.#flush().finally(() => {
        this.#flushing = null;
        this.#timer = null;
        if (this.#unwritten.size > 0) this.#schedule();
      });
    }, this.#options.flushAfterMs ?? 1_000);
  }

  async #flush(): Promise<void> {
    const batch = this.#takeBatch(Date.now());
    if (batch.size === 0) return;
    const strikes = [...batch].flatMap(([userId, { counts }]) => [...counts].map(([feature, count]) => ({ userId, feature, count })));
    let added: AddedStrikes[];
    try {
      added = await this.#options.add(strikes);
    } catch (err) {
      this.#options.metrics.report('strikes-unwritten', {}, { err, users: batch.size });
      if (!this.#stopped) await Promise.all([...batch].map(([userId, user]) => this.#decideAlone(userId, user)));
      return;
    }
    if (this.#stopped) return;
    const users = Map.groupBy(added, ({ userId }) => userId);
    await Promise.all([...users].map(([userId, rows]) => this.#decide(userId, rows, batch.get(userId)?.decided ?? 0)));
  }

  #takeBatch(nowMs: number): Map<UserId, Unwritten> {
    const batch = new Map<UserId, Unwritten>();
    for (const [userId, user] of this.#unwritten) {
      if (batch.size >= strikesLimits.usersPerFlushMax) break;
      this.#unwritten.delete(userId);
      this.#fade(user, nowMs);
      if (user.counts.size > 0) batch.set(userId, user);
    }
    return batch;
  }

  #fade(user: Unwritten, nowMs: number): void {
    if (user.keptSinceMs === null) return;
    const { decayPerMinute, scoreMax } = this.#options.rules;
    const after = (score: number): number => Math.min(scoreMax, faded(score, nowMs - (user.keptSinceMs ?? nowMs), decayPerMinute));
    for (const [feature, count] of user.counts) {
      if (after(count) === 0) user.counts.delete(feature);
      else user.counts.set(feature, after(count));
    }
    user.decided = after(user.decided);
    user.keptSinceMs = nowMs;
  }

  /** By the total of the cluster. Whoever begins a mute tells it. */
  async #decide(userId: UserId, rows: readonly AddedStrikes[], decided: number): Promise<void> {
    const { mutes, thresholds } = this.#options;
    const nowMs = Date.now();
    const muting = rows.filter(({ feature, muteBegins }) => muteBegins && mutes.leftMs(userId, feature, nowMs) === 0);
    for (const { feature, mutedForMs } of rows) if (mutedForMs > 0) mutes.set(userId, feature, nowMs + mutedForMs);
    const total = rows.find(({ feature }) => feature === allFeatures);
    const step = total ? stepFor(Math.max(total.before, decided), total.after, thresholds) : null;
    await this.#take(userId, step, total?.after ?? 0, new Map(muting.map(({ feature, mutedForMs }) => [feature, mutedForMs])));
  }

  /** The mutes, then the step; a warning is left out where a mute says more. Resolves to false when the step is not in force. */
  async #take(userId: UserId, step: Step | null, score: number, muting: ReadonlyMap<string, number>): Promise<boolean> {
    const { consequences } = this.#options;
    await Promise.all([...muting].map(([feature, forMs]) => consequences.mute(userId, feature, forMs)));
    return step === null || (step === 'warn' && muting.size > 0) || consequences.take(step, userId, score);
  }

  /** By what was seen here alone, and keeps it. */
  async #decideAlone(userId: UserId, user: Unwritten): Promise<void> {
    const { thresholds } = this.#options;
    const after = user.counts.get(allFeatures) ?? 0;
    const step = stepFor(user.decided, after, thresholds);
    user.decided = Math.max(user.decided, after);
    user.keptSinceMs ??= Date.now();
    this.#keep(userId, user);
    const inForce = await this.#take(userId, step, after, this.#muteAlone(userId, user));
    // A ban needs Postgres: it is decided again as soon as the strikes could be written.
    if (!inForce && step === 'ban') user.decided = Math.min(user.decided, thresholds.banAt - 1);
  }

  #muteAlone(userId: UserId, { counts }: Unwritten): ReadonlyMap<string, number> {
    const { mutes, rules } = this.#options;
    const nowMs = Date.now();
    const muting = [...counts.keys()].filter(
      (feature) => (counts.get(feature) ?? 0) >= rules.muteAt && !rules.neverMuted.includes(feature) && mutes.leftMs(userId, feature, nowMs) === 0,
    );
    for (const feature of muting) mutes.set(userId, feature, nowMs + rules.muteMs);
    return new Map(muting.map((feature) => [feature, rules.muteMs]));
  }

  /** Puts back what could not be written, with what came meanwhile. */
  #keep(userId: UserId, user: Unwritten): void {
    const newer = this.#unwritten.get(userId);
    if (newer) for (const [feature, count] of newer.counts) increase(user.counts, feature, count);
    else if (this.#unwritten.size >= strikesLimits.usersMax) return this.#options.metrics.report('strikes-dropped', {});
    this.#unwritten.set(userId, user);
  }
}

function increase(counts: Map<string, number>, feature: string, by: number): void {
  counts.set(feature, (counts.get(feature) ?? 0) + by);
}
