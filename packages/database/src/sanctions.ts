import type { UserId } from '@skirmish/protocol';
import { sql } from 'kysely';
import type { Database } from './database.ts';
import type { SanctionKind } from './schema.ts';

export interface NewSanction {
  readonly userId: UserId;
  readonly kind: SanctionKind;
  readonly reason: string;
  /** A user id, the subject of a service token, or the name of a part of the cluster. */
  readonly by: string;
  /** Epoch milliseconds; null: for ever. */
  readonly untilMs: number | null;
}

/** Stores a sanction, also of a user who has never connected; answers its id. Throws the database's error. */
export async function storeSanction(database: Database, { userId, kind, reason, by, untilMs }: NewSanction): Promise<number> {
  const row = { user_id: userId, kind, reason, created_by: by, until_ms: untilMs };
  const { sanction_id } = await database.db.insertInto('sanctions').values(row).returning('sanction_id').executeTakeFirstOrThrow();
  return sanction_id;
}

/** Lifts all sanctions of a kind that are in force; answers how many. Throws the database's error. */
export async function liftSanctions(database: Database, userId: UserId, kind: 'mute' | 'ban', by: string): Promise<number> {
  const { numUpdatedRows } = await database.db
    .updateTable('sanctions')
    .set({ lifted_at_ms: sql<number>`now_ms()`, lifted_by: by })
    .where('user_id', '=', userId)
    // Written out, so that the partial index fits.
    .where(kind === 'ban' ? sql<boolean>`kind = 'ban'` : sql<boolean>`kind = 'mute'`)
    .where('lifted_at_ms', 'is', null)
    .where((where) => where.or([where('until_ms', 'is', null), where('until_ms', '>', sql<number>`now_ms()`)]))
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/**
 * Makes every token of a user void that was issued before the instant, and every refresh token; never undoes an earlier call. False when there
 * is no such user. Throws the database's error.
 */
export async function revokeTokens(database: Database, userId: UserId, beforeMs: number): Promise<boolean> {
  const { numAffectedRows } = await sql`
    with ended as (update refresh_families set revoked_at_ms = now_ms() where user_id = ${userId} and revoked_at_ms is null)
    update users set tokens_valid_from_ms = greatest(tokens_valid_from_ms, ${beforeMs}::int8) where user_id = ${userId}`.execute(database.db);
  return numAffectedRows === 1n;
}
