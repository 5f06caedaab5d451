import { sql } from 'kysely';
import type { Migration } from './migration.ts';

/** Since when the tokens of a user are good: what was issued before was revoked. */
export const tokensValidFrom: Migration = {
  name: '0003-tokens-valid-from',
  up: async (transaction) => {
    await sql`alter table users add column if not exists tokens_valid_from_ms int8`.execute(transaction);
  },
};
