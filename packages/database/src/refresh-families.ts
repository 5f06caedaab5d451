import type { UserId } from '@skirmish/protocol';
import { sql, type Transaction } from 'kysely';
import type { Database } from './database.ts';
import { refusing } from './errors.ts';
import type { Schema } from './schema.ts';

/** One refresh token, by its own id and by the login that it comes from; both are UUIDs. The token itself is never kept. */
export interface RefreshTokenOfFamily {
  readonly userId: UserId;
  readonly familyId: string;
  readonly tokenId: string;
}

export interface RefreshFamiliesOptions {
  /** Families of a user at most; the one that was not used for longest has to go for one more. Default 20. */
  readonly familiesMax?: number;
}

/** Refresh tokens that are good once; every rejection is a Rejection of the catalogue. */
export interface RefreshFamilies {
  /** Begins a family with its first token, good until `expiresAtMs`. */
  begin(this: void, token: RefreshTokenOfFamily & { readonly expiresAtMs: number }): Promise<void>;
  /**
   * Puts `nextTokenId` in the place of the token that was shown. True for the one caller whose token was the current one; false when the
   * token was used before, which revokes the family, and when the family is revoked or forgotten.
   */
  rotate(this: void, shown: RefreshTokenOfFamily, next: { readonly tokenId: string; readonly expiresAtMs: number }): Promise<boolean>;
}

/** Clocks of gateways and of Postgres differ by less, so no token outlives its row. */
const expiryMarginMs = 60_000;
/** Expired rows that one new family removes: more than it adds, so that they never pile up. */
const sweptMax = 100;

/** Keeps the families in Postgres: one row per login, however often its token is exchanged. */
export function createRefreshFamilies(database: Database, { familiesMax = 20 }: RefreshFamiliesOptions = {}): RefreshFamilies {
  const { db } = database;
  return {
    begin: (token) => refusing(db.transaction().execute((transaction) => begin(transaction, token, familiesMax))),
    rotate: async ({ userId, familyId, tokenId }, next) => {
      // One statement: of two that come at once the second waits for the row, finds another current token, and revokes the family.
      const { rows } = await refusing(
        sql<{ rotated: boolean }>`
          update refresh_families set
            revoked_at_ms = case when current_token_id = ${tokenId}::uuid then null else now_ms() end,
            current_token_id = case when current_token_id = ${tokenId}::uuid then ${next.tokenId}::uuid else current_token_id end,
            expires_at_ms = case when current_token_id = ${tokenId}::uuid then ${next.expiresAtMs}::int8 else expires_at_ms end,
            used_at_ms = now_ms()
          where family_id = ${familyId}::uuid and user_id = ${userId} and revoked_at_ms is null
          returning revoked_at_ms is null as rotated`.execute(db),
      );
      return rows[0]?.rotated ?? false;
    },
  };
}

async function begin(transaction: Transaction<Schema>, token: RefreshTokenOfFamily & { readonly expiresAtMs: number }, familiesMax: number): Promise<void> {
  const { userId, familyId, tokenId, expiresAtMs } = token;
  // Logins of one user come one after the other, so that the bound holds.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`refresh families ${userId}`}, 0))`.execute(transaction);
  await sql`
    delete from refresh_families where family_id in (
      select family_id from refresh_families where expires_at_ms < now_ms() - ${expiryMarginMs}::int8 limit ${sweptMax} for update skip locked
    )`.execute(transaction);
  await sql`
    delete from refresh_families where family_id in (
      select family_id from refresh_families where user_id = ${userId} order by used_at_ms desc, family_id offset ${familiesMax - 1}
    )`.execute(transaction);
  await sql`
    insert into refresh_families (family_id, user_id, current_token_id, expires_at_ms)
    values (${familyId}::uuid, ${userId}, ${tokenId}::uuid, ${expiresAtMs}::int8)`.execute(transaction);
}
