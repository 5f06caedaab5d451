import { addStrikes, type Database, type StrikeRules } from '@skirmish/database';
import type { UserId } from '@skirmish/protocol';
import type { GatewayConfig } from '../config.ts';
import type { RealmContext } from '../context.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { Sanctions } from '../moderation/sanctions.ts';
import { Consequences } from './consequences.ts';
import { neverMuted } from './ladder.ts';
import type { Mutes } from './mutes.ts';
import { Strikes } from './strikes.ts';

export interface CreateStrikesParts {
  readonly config: GatewayConfig;
  readonly database: Database;
  readonly metrics: GatewayMetrics;
  readonly mutes: Mutes;
  /** Filled later. */
  readonly realms: readonly RealmContext[];
}

/** A score may grow to so many times the one that bans, so that it has faded in a bounded time. */
const scoreMaxFactor = 2;

/** The ladder of one gateway, over all its realms: strikes belong to users and not to realms, as sanctions do. */
export function createStrikes({ config, database, metrics, mutes, realms }: CreateStrikesParts): Strikes {
  const rules: StrikeRules = {
    decayPerMinute: config.strikesDecayPerMinute,
    scoreMax: config.strikesBanAt * scoreMaxFactor,
    muteAt: config.strikesMuteAt,
    muteMs: config.strikesMuteMs,
    neverMuted,
  };
  const sanctions = new Sanctions({ config, database, metrics }, realms);
  const ban = async (userId: UserId, reason: string, untilMs: number): Promise<void> => {
    await sanctions.set({ userId, kind: 'ban', reason, untilMs, by: 'rate-limits' });
  };
  return new Strikes({
    thresholds: { warnAt: config.strikesWarnAt, disconnectAt: config.strikesDisconnectAt, banAt: config.strikesBanAt },
    rules,
    add: (strikes) => addStrikes(database, strikes, rules),
    consequences: new Consequences({ realms, ban, banMs: config.strikesBanMs, report: metrics.report }),
    mutes,
    metrics,
  });
}
