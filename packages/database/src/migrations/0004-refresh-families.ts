import { sql } from 'kysely';
import type { Migration } from './migration.ts';

/** Which refresh token of a login is the one that may be used next; a row that is not there counts as revoked. */
export const refreshFamilies: Migration = {
  name: '0004-refresh-families',
  up: async (transaction) => {
    await sql`
      create table refresh_families (
        family_id uuid primary key,
        user_id identifier not null,
        current_token_id uuid not null,
        used_at_ms int8 not null default now_ms(),
        expires_at_ms int8 not null,
        revoked_at_ms int8
      );
      create index refresh_families_of_user on refresh_families (user_id, used_at_ms);
      create index refresh_families_by_expiry on refresh_families (expires_at_ms);`.execute(transaction);
  },
};
