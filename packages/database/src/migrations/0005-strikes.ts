import { sql } from 'kysely';
import type { Migration } from './migration.ts';

/**
 * Requests of users above their rates. One row per user and feature, and one with the empty feature for all of the user's together. A score
 * fades linearly from `at_ms` on, so a row that nobody adds to is never written.
 */
export const strikes: Migration = {
  name: '0005-strikes',
  up: async (transaction) => {
    await sql`
      create table if not exists strikes (
        user_id identifier not null,
        feature text collate "C" not null,
        score float8 not null check (score >= 0),
        score_before float8 not null,
        at_ms int8 not null,
        muted_until_ms int8,
        mute_begins boolean not null,
        primary key (user_id, feature)
      )`.execute(transaction);
    await sql`create index if not exists strikes_by_age on strikes (at_ms)`.execute(transaction);
  },
};
