import type { GuildId, UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { putGuild, putGuildMember } from '../src/index.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

const [one, other] = ['g1', 'g2'] as GuildId[] as [GuildId, GuildId];
let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld();
  for (const guild of [one, other]) await putGuild(world.database, guild, guild);
});
afterAll(() => world[Symbol.asyncDispose]());

/** Statements that wait for another transaction. */
async function waiting(): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(world.database.db);
  return rows[0]?.count ?? 0;
}

it.each([['none', null], ['a guild', other]] as const)('a user of %s whom two guilds take in at once was in the first of them before the second', async (_what, before) => {
  const userId = `u-${before ?? 'none'}` as UserId;
  if (before) await putGuildMember(world.database, before, userId, 'member');
  const first = world.open({ poolMax: 1 });
  let second: ReturnType<typeof putGuildMember> | undefined;
  await first.db.transaction().execute(async (transaction) => {
    const row = { user_id: userId, guild_id: one, rank: 'member' };
    await transaction.insertInto('guild_members').values(row).onConflict((conflict) => conflict.column('user_id').doUpdateSet(row)).execute();
    second = putGuildMember(world.database, other, userId, 'officer');
    await eventually(async () => (await waiting()) === 1);
  });
  expect(await second).toEqual({ userId, from: one, to: other });
  const rows = await world.database.db.selectFrom('guild_members').select(['guild_id', 'rank']).where('user_id', '=', userId).execute();
  expect(rows).toEqual([{ guild_id: other, rank: 'officer' }]);
});

it('a new member was in no guild before, and one who gets another rank was in this one', async () => {
  const userId = 'u-new' as UserId;
  expect(await putGuildMember(world.database, one, userId, 'member')).toEqual({ userId, from: null, to: one });
  expect(await putGuildMember(world.database, one, userId, 'officer')).toEqual({ userId, from: one, to: one });
});
