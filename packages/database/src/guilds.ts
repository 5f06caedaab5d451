import type { GuildId, UserId } from '@skirmish/protocol';
import { Rejection } from '@skirmish/protocol';
import { sql, type Transaction } from 'kysely';
import type { Database } from './database.ts';
import type { Schema } from './schema.ts';

/** What a change of a guild did to one user. */
export interface GuildMove {
  readonly userId: UserId;
  /** The guild that the user was in before; null: none. */
  readonly from: GuildId | null;
  readonly to: GuildId | null;
}

/** Makes a guild, or gives it another name; answers whether it is new. Throws the database's error. */
export async function putGuild(database: Database, guildId: GuildId, name: string): Promise<boolean> {
  return database.db.transaction().execute(async (transaction) => {
    const made = await transaction.insertInto('guilds').values({ guild_id: guildId, name }).onConflict((conflict) => conflict.doNothing()).executeTakeFirst();
    if (made.numInsertedOrUpdatedRows === 1n) return true;
    await transaction.updateTable('guilds').set({ name }).where('guild_id', '=', guildId).execute();
    return false;
  });
}

/** Ends a guild with all its memberships; answers who was in it. Throws `guild/not-found`, or the database's error. */
export async function deleteGuild(database: Database, guildId: GuildId): Promise<UserId[]> {
  return database.db.transaction().execute(async (transaction) => {
    await lockGuild(transaction, guildId);
    const members = await transaction.deleteFrom('guild_members').where('guild_id', '=', guildId).returning('user_id').execute();
    await transaction.deleteFrom('guilds').where('guild_id', '=', guildId).execute();
    return members.map(({ user_id }) => user_id as UserId);
  });
}

/**
 * Takes a user into a guild, or gives the member another rank; whoever is in another guild leaves that. Two changes of one user wait for each
 * other. Throws `guild/not-found`, or the database's error.
 */
export async function putGuildMember(database: Database, guildId: GuildId, userId: UserId, rank: string): Promise<GuildMove> {
  return database.db.transaction().execute(async (transaction) => {
    await lockGuild(transaction, guildId);
    // A row that somebody else is inserting is waited for here, which no `select for update` would see; the guild is then still the former one.
    const row = await transaction
      .insertInto('guild_members')
      .values({ user_id: userId, guild_id: guildId, rank })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ rank }))
      .returning(['guild_id', sql<boolean>`xmax = 0`.as('is_new')])
      .executeTakeFirstOrThrow();
    if (row.guild_id !== guildId) await transaction.updateTable('guild_members').set({ guild_id: guildId }).where('user_id', '=', userId).execute();
    return { userId, from: row.is_new ? null : (row.guild_id as GuildId), to: guildId };
  });
}

/** Takes a user out of a guild; answers whether the user was in it. Throws the database's error. */
export async function deleteGuildMember(database: Database, guildId: GuildId, userId: UserId): Promise<boolean> {
  const { numDeletedRows } = await database.db.deleteFrom('guild_members').where('user_id', '=', userId).where('guild_id', '=', guildId).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Nobody ends a guild while somebody is taken in. */
async function lockGuild(transaction: Transaction<Schema>, guildId: GuildId): Promise<void> {
  const guild = await transaction.selectFrom('guilds').select('guild_id').where('guild_id', '=', guildId).forUpdate().executeTakeFirst();
  if (!guild) throw new Rejection('guild/not-found');
}
