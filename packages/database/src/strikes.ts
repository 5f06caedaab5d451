import type { UserId } from '@skirmish/protocol';
import { sql } from 'kysely';
import type { Database } from './database.ts';

/** What one gateway saw of one user and feature since it last wrote; the empty feature is all of them together. */
export interface NewStrikes {
  readonly userId: UserId;
  readonly feature: string;
  readonly count: number;
}

/** The same over all gateways. `before` to `after` is what these strikes added, so each threshold between is crossed by one caller only. */
export interface AddedStrikes {
  readonly userId: UserId;
  readonly feature: string;
  readonly before: number;
  readonly after: number;
  /** What is left of a mute; 0 without one. */
  readonly mutedForMs: number;
  /** Whether these strikes began it. */
  readonly muteBegins: boolean;
}

export interface StrikeRules {
  /** How much a score fades. */
  readonly decayPerMinute: number;
  /** No score grows beyond this, so that it has faded within `scoreMax / decayPerMinute` minutes. */
  readonly scoreMax: number;
  readonly muteAt: number;
  readonly muteMs: number;
  /** Features that are never muted, the empty one among them. */
  readonly neverMuted: readonly string[];
}

/** Rows that are forgotten with each addition. */
const forgottenAtOnce = 100;

interface StrikesRow {
  user_id: string;
  feature: string;
  score_before: number;
  score: number;
  muted_for_ms: number;
  mute_begins: boolean;
}

/**
 * Adds the strikes of many users in one statement and answers one row for each; no user and feature twice. Rows of others that have faded
 * are deleted by the way, a hundred at most. Gateways that add at the same time wait for each other in one order. Throws the database's
 * error; what was added then is not known, so a repetition may count twice.
 */
export async function addStrikes(database: Database, strikes: readonly NewStrikes[], rules: StrikeRules): Promise<AddedStrikes[]> {
  const { decayPerMinute, scoreMax, muteAt, muteMs } = rules;
  const users = strikes.map(({ userId }) => userId);
  const keptMs = Math.ceil(Math.max((scoreMax / decayPerMinute) * 60_000, muteMs));
  const neverMuted = sql`${[...rules.neverMuted]}::text[]`;
  const atMs = sql`greatest(s.at_ms, excluded.at_ms)`;
  const faded = sql`greatest(0, s.score - (${atMs} - s.at_ms) * ${decayPerMinute / 60_000}::float8)`;
  const begins = sql`(s.feature <> all(${neverMuted}) and coalesce(s.muted_until_ms, 0) <= ${atMs} and ${faded} + excluded.score >= ${muteAt}::float8)`;
  const { rows } = await sql<StrikesRow>`
    with moment as materialized (select now_ms() as now_ms),
    forgotten as (
      delete from strikes where (user_id, feature) in (
        select user_id, feature from strikes, moment
        where at_ms < now_ms - ${keptMs}::int8 and user_id <> all(${users}::text[])
        order by at_ms limit ${forgottenAtOnce} for update of strikes skip locked
      )
    ),
    given as (
      select user_id, feature, count, now_ms, feature <> all(${neverMuted}) and count >= ${muteAt}::float8 as begins
      from unnest(${users}::text[], ${strikes.map(({ feature }) => feature)}::text[], ${strikes.map(({ count }) => count)}::float8[]) as g (user_id, feature, count), moment
    )
    insert into strikes as s (user_id, feature, score, score_before, at_ms, mute_begins, muted_until_ms)
    select user_id, feature, least(count, ${scoreMax}::float8), 0, now_ms, begins, case when begins then now_ms + ${muteMs}::int8 end
    from given order by user_id collate "C", feature collate "C"
    on conflict (user_id, feature) do update set
      score_before = ${faded},
      score = least(${faded} + excluded.score, ${scoreMax}::float8),
      at_ms = ${atMs},
      mute_begins = ${begins},
      muted_until_ms = case when ${begins} then ${atMs} + ${muteMs}::int8 else s.muted_until_ms end
    returning user_id, feature, score_before, score, mute_begins, greatest(0, coalesce(muted_until_ms, 0) - now_ms()) as muted_for_ms`.execute(database.db);
  return rows.map((row) => ({
    userId: row.user_id as UserId,
    feature: row.feature,
    before: row.score_before,
    after: row.score,
    mutedForMs: row.muted_for_ms,
    muteBegins: row.mute_begins,
  }));
}
