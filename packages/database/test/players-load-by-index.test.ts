import type { CharacterId, UserId } from '@skirmish/protocol';
import { sql, type RawBuilder } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { json, loadEntrants, loadPlayer, type Player, type SanctionKind } from '../src/index.ts';
import { playerQuery } from '../src/load-player.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld({ players: 10 });
});
afterAll(() => world[Symbol.asyncDispose]());

const userId = 'p1' as UserId;
const load = async (characterId?: string): Promise<Player> => {
  const player = await loadPlayer(world.database, { userId, ...(characterId === undefined ? {} : { characterId: characterId as CharacterId }) });
  if (player === null) throw new Error('no such player');
  return player;
};
const soon = (): number => Date.now() + 60_000;
const sanction = async (kind: SanctionKind, reason: string, more: { until_ms?: number; lifted_at_ms?: number } = {}, ofUser: string = userId): Promise<void> => {
  await world.database.db
    .insertInto('sanctions')
    .values({ user_id: ofUser, kind, reason, created_by: 'mod1', ...more })
    .execute();
};
const startCombat = async (combatId: string, open = true): Promise<void> => {
  const { db } = world.database;
  await db.insertInto('combats').values({ combat_id: combatId, realm: 'main', zone_id: 'meadow', status: 'open', seed: 's', state: json({}) }).execute();
  await db
    .insertInto('combatants')
    .values({ combat_id: combatId, character_id: 'c1', user_id: userId, name: 'Player 1', side: 0, health: 1, health_max: 1, open })
    .execute();
};

describe('a player', () => {
  beforeEach(async () => {
    await world.database.db.deleteFrom('sanctions').execute();
    await world.database.db.deleteFrom('combats').execute();
  });

  it('comes with character, zone and guild', async () => {
    const meadow = { id: 'meadow', name: 'Meadow', width: 1000, height: 1000, capacity: 500, opensInstances: false, battleground: true };
    expect(await load()).toEqual({
      userId: 'p1',
      name: 'Player 1',
      roles: ['player'],
      ban: null,
      mute: null,
      tokensValidFromMs: null,
      character: { characterId: 'c1', name: 'Player 1', zone: meadow, x: 401, y: 400, facing: 0, health: 100, healthMax: 100 },
      guild: { id: 'red', name: 'Red', rank: 'member' },
      combats: [],
      mail: [],
    });
  });

  it('who does not exist is null, and SQL in an id finds nobody', async () => {
    expect(await loadPlayer(world.database, { userId: 'nobody' as UserId })).toBeNull();
    expect(await loadPlayer(world.database, { userId: `' or true --` as UserId })).toBeNull();
  });

  it('has the bans and mutes in force: not those that ended or were lifted, not other kinds, not those of others', async () => {
    await sanction('ban', 'ended', { until_ms: Date.now() - 1000 });
    await sanction('ban', 'lifted', { lifted_at_ms: Date.now() });
    await sanction('kick', 'kicked');
    await sanction('warn', 'warned');
    await sanction('ban', 'another', {}, 'p2');
    expect(await load()).toMatchObject({ ban: null, mute: null });
    const until_ms = soon();
    await sanction('mute', 'shouting', { until_ms });
    expect(await load()).toMatchObject({ ban: null, mute: { reason: 'shouting', untilMs: until_ms } });
  });

  it('has the longest of several, for ever being the longest', async () => {
    await sanction('mute', 'longer', { until_ms: soon() + 1000 });
    await sanction('mute', 'shorter', { until_ms: soon() });
    await sanction('ban', 'a minute', { until_ms: soon() });
    await sanction('ban', 'for ever');
    expect(await load()).toMatchObject({ mute: { reason: 'longer' }, ban: { reason: 'for ever', untilMs: null } });
  });

  it('has open fights only', async () => {
    await startCombat('f2');
    await startCombat('f1');
    await startCombat('f0', false);
    expect((await load()).combats).toEqual(['f1', 'f2']);
  });

  it('has the character asked for, else the first one, and never that of another', async () => {
    const twin = { user_id: userId, name: 'Twin', zone_id: 'keep', x: 1, y: 2, health: 5, health_max: 9, start_zone_id: 'keep', start_x: 1, start_y: 2 };
    await world.database.db.insertInto('characters').values({ character_id: 'a-twin', ...twin }).execute();
    expect((await load()).character?.characterId).toBe('c1');
    expect((await load('a-twin')).character).toMatchObject({ name: 'Twin', zone: { id: 'keep' }, health: 5 });
    expect((await load('c2')).character).toBeNull();
    await world.database.db.updateTable('characters').set({ recovered_at_ms: soon() }).where('character_id', '=', 'a-twin').execute();
    expect((await load('a-twin')).character?.health).toBe(5);
    await world.database.db.updateTable('characters').set({ recovered_at_ms: Date.now() - 1000 }).where('character_id', '=', 'a-twin').execute();
    expect((await load('a-twin')).character?.health).toBe(9);
  });

  it('has names that everybody can be shown, however long the stored ones are', async () => {
    const { db } = world.database;
    const [long, cut] = [`${'x'.repeat(63)}🐉`, 'x'.repeat(63)];
    await db.insertInto('users').values({ user_id: 'long', name: long }).execute();
    await db.insertInto('guilds').values({ guild_id: 'long', name: long }).execute();
    await db.insertInto('guild_members').values({ user_id: 'long', guild_id: 'long' }).execute();
    const place = { zone_id: 'keep', x: 1, y: 2, health: 5, health_max: 9, start_zone_id: 'keep', start_x: 1, start_y: 2 };
    await db.insertInto('characters').values({ character_id: 'long', user_id: 'long', name: long, ...place }).execute();
    expect(await loadPlayer(world.database, { userId: 'long' as UserId })).toMatchObject({ name: cut, character: { name: cut }, guild: { name: cut } });
    expect(await loadEntrants(world.database, ['long'])).toMatchObject([{ name: cut }]);
    await db.updateTable('users').set({ name: 'x'.repeat(64) }).where('user_id', '=', 'long').execute();
    expect(await loadPlayer(world.database, { userId: 'long' as UserId })).toMatchObject({ name: 'x'.repeat(64) });
  });

  it('without a character or a guild is a player all the same', async () => {
    await world.database.db.insertInto('users').values({ user_id: 'ghost', name: 'Ghost' }).execute();
    expect(await loadPlayer(world.database, { userId: 'ghost' as UserId })).toMatchObject({ character: null, guild: null, roles: ['player'] });
  });
});

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: PlanNode[];
}
const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
const planOf = async (query: RawBuilder<unknown>): Promise<PlanNode[]> => {
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>`explain (format json) ${query}`.execute(world.database.db);
  return rows.flatMap((row) => nodesOf(row['QUERY PLAN'][0].Plan));
};
/** Relation → index, or the kind of the scan where there is none. */
const accessOf = (nodes: PlanNode[]): Record<string, string> => {
  const access: Record<string, string> = {};
  for (const node of nodes) {
    const relation = node['Relation Name'];
    if (relation !== undefined) access[relation] = node['Index Name'] ?? node.Plans?.[0]?.['Index Name'] ?? node['Node Type'];
  }
  return access;
};

describe('with many rows', () => {
  beforeAll(async () => {
    const { db } = world.open({ statementTimeoutMs: 60_000 });
    const rows = 20_000;
    const users = 100_000;
    await sql`insert into users (user_id, name) select 'many' || n, '' from generate_series(1, ${users}::int) n`.execute(db);
    await sql`insert into characters (character_id, user_id, name, zone_id, x, y, health, health_max, start_zone_id, start_x, start_y)
      select 'many' || n, 'many' || n, '', 'arena', 1, 1, 1, 1, 'arena', 1, 1 from generate_series(1, ${users}::int) n`.execute(db);
    await sql`insert into guild_members (user_id, guild_id) select 'many' || n, 'red' from generate_series(1, ${users}::int) n`.execute(db);
    await sql`insert into sanctions (user_id, kind, reason, created_by, lifted_at_ms)
      select 'many' || n, case n % 3 when 0 then 'ban' when 1 then 'mute' else 'warn' end, '', '', case n % 2 when 0 then 1 end
      from generate_series(1, ${users}::int) n`.execute(db);
    await sql`insert into combats (combat_id, realm, zone_id, status, seed, state, deadline_ms, ended_at_ms)
      select 'many' || n, 'main', 'arena', case when n % 10 = 0 then 'open' else 'ended' end, '', '{}',
        case when n % 10 = 0 then n end, case when n % 10 = 0 then null else n end from generate_series(1, ${rows}::int) n`.execute(db);
    await sql`insert into combatants (combat_id, character_id, user_id, name, side, health, health_max, open)
      select 'many' || n, 'c1', 'p' || n % 5000, '', 0, 0, 1, n % 10 = 0 from generate_series(1, ${rows}::int) n`.execute(db);
    await sql`insert into chat_messages (message_id, realm, channel_kind, channel_id, from_user_id, from_name, text, status, sent_at_ms, command_id, fingerprint)
      select gen_random_uuid(), 'main', case when n % 2 = 0 then 'zone' else 'whisper' end, 'z' || n % 100, 'many' || n % 1000, '', 'hi', 'delivered', n, 'k' || n, 'f' || n % 50
      from generate_series(1, ${rows}::int) n`.execute(db);
    await sql`insert into mailbox (realm, user_id, event, payload, delivered_at_ms)
      select 'main', 'many' || n % 1000, 'app:x', '{}', case when n % 10 > 0 then n end from generate_series(1, ${rows}::int) n`.execute(db);
    await sql`analyze`.execute(db);
  });

  it.each([undefined, 'c1' as CharacterId])('a player is loaded by indexes alone (character %s)', async (characterId) => {
    const nodes = await planOf(playerQuery({ userId, mailOf: ['main'], ...(characterId === undefined ? {} : { characterId }) }));
    const access = accessOf(nodes);
    expect(access['users']).toBe('users_pkey');
    expect(access['guild_members']).toBe('guild_members_pkey');
    expect(access['characters']).toMatch(/^characters_/);
    expect(access['combatants']).toBe('combatants_open_of_user');
    expect(access['sanctions']).toBe('sanctions_in_force');
    expect(access['mailbox']).toBe('mailbox_waiting');
    // Of a handful of rows each: Postgres is right to read them through. Every node, since a relation may be read more than once.
    const scanned = nodes.filter((node) => node['Node Type'] === 'Seq Scan').map((node) => node['Relation Name'] ?? '');
    expect(scanned.filter((relation) => !['zones', 'guilds'].includes(relation))).toEqual([]);
  });

  it.each([
    ['overdue deadlines', 'combats_by_deadline', sql`select combat_id from combats where realm = 'main' and deadline_ms < 100 order by deadline_ms limit 50`],
    [
      'a page of a channel',
      'chat_messages_of_channel',
      sql`select * from chat_messages where realm = 'main' and channel_kind = 'zone' and channel_id = 'z7' and status = 'delivered'
        and message_id < '0192f000-0000-7000-8000-000000000000' order by message_id desc limit 51`,
    ],
    [
      'what two users whispered',
      'chat_messages_of_pair',
      sql`select * from chat_messages where realm = 'main' and channel_kind = 'whisper' and status = 'delivered'
        and least(channel_id, from_user_id) = least('many7', 'z7') and greatest(channel_id, from_user_id) = greatest('many7', 'z7')
        order by message_id desc limit 51`,
    ],
    ['a chat command', 'chat_messages_by_command', sql`select * from chat_messages where from_user_id = 'many7' and command_id = 'k7' and sent_at_ms > 1`],
    [
      'the same message again',
      'chat_messages_alike',
      sql`select count(*) from chat_messages where realm = 'main' and from_user_id = 'many7' and fingerprint = 'f7' and sent_at_ms > 10`,
    ],
    ['waiting mail', 'mailbox_waiting', sql`select * from mailbox where realm = 'main' and user_id = 'many7' and delivered_at_ms is null order by mail_id limit 50`],
    ['members of a guild', 'guild_members_of_guild', sql`select user_id from guild_members where guild_id = 'blue'`],
  ])('%s are found by %s', async (_what, index, query) => {
    const nodes = await planOf(query);
    expect(nodes.map((node) => node['Index Name']).filter((name) => name !== undefined)).toEqual([index]);
    expect(nodes.some((node) => node['Node Type'] === 'Seq Scan')).toBe(false);
  });
});
