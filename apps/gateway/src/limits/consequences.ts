import type { UserId } from '@skirmish/protocol';
import type { ClusterLimits } from '../connection/cluster-limits.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { Step } from './ladder.ts';
import { endSessions, type Reach, tellUser } from './reach-user.ts';
import type { StepTaker } from './strikes.ts';

export interface ConsequencesParts {
  readonly realms: readonly (Reach & { readonly clusterLimits: Pick<ClusterLimits, 'mute'> })[];
  /** Rejects when the ban is not in force everywhere. */
  readonly ban: (userId: UserId, reason: string, untilMs: number) => Promise<void>;
  readonly banMs: number;
  readonly report: GatewayMetrics['report'];
}

/** So much of a ban is drawn by lot on top, so that those who were banned together do not come back together. */
const banJitter = 0.1;

const reasons = {
  warn: 'Too many refused requests. Slow down, or your requests will be refused for a while.',
  mute: 'Too many refused requests of this kind. They are refused for a while.',
  ban: 'Too many refused requests.',
} as const;

/** Does what the ladder says. Nothing here rejects: what fails is counted and logged, and whoever goes on is met again by the next step. */
export class Consequences implements StepTaker {
  readonly #parts: ConsequencesParts;

  constructor(parts: ConsequencesParts) {
    this.#parts = parts;
  }

  /** Resolves to false when the step is not in force. */
  take(step: Step, userId: UserId, score: number): Promise<boolean> {
    const details = { userId, score: Math.round(score) };
    switch (step) {
      case 'warn': return this.#do('warn', details, () => tellUser(this.#parts.realms, userId, { kind: 'warned', reason: reasons.warn }));
      case 'disconnect': return this.#do('disconnect', details, () => this.#disconnect(userId));
      case 'ban': return this.#do('ban', details, () => this.#ban(userId));
    }
  }

  /** On all gateways: they find it in Redis with the next event that is counted there, or with the user's next connection. */
  mute(userId: UserId, feature: string, forMs: number): Promise<boolean> {
    const { realms } = this.#parts;
    return this.#do('mute', { userId, feature }, async () => {
      await Promise.all(realms.map(({ clusterLimits }) => clusterLimits.mute(userId, feature, forMs)));
      await tellUser(realms, userId, { kind: 'muted', reason: reasons.mute, untilMs: Date.now() + forMs });
    });
  }

  async #ban(userId: UserId): Promise<void> {
    const { ban, banMs } = this.#parts;
    try {
      await ban(userId, reasons.ban, Math.round(Date.now() + banMs * (1 + Math.random() * banJitter)));
    } catch (error) {
      await this.#disconnect(userId).catch(() => undefined);
      throw error;
    }
  }

  #disconnect(userId: UserId): Promise<void> {
    return endSessions(this.#parts.realms, userId, 'rate/disconnected');
  }

  async #do(step: Step | 'mute', details: Readonly<Record<string, unknown>>, act: () => Promise<void>): Promise<boolean> {
    const { report } = this.#parts;
    try {
      await act();
      report('limit-step', { step }, details);
      return true;
    } catch (err) {
      report('limit-step-failed', { step }, { ...details, err });
      return false;
    }
  }
}
