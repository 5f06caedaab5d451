import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInfrastructureError, json, toRejection, UnsafeIntegerError, type Schema } from '../src/index.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** The compiler keeps this table complete, Postgres keeps it true. */
const columns: { [T in keyof Schema]: Record<keyof Schema[T], string> } = {
  users: { user_id: 'identifier', name: 'text', roles: '_text', tokens_valid_from_ms: 'int8?', created_at_ms: 'int8' },
  characters: {
    character_id: 'identifier',
    user_id: 'identifier',
    name: 'text',
    zone_id: 'identifier',
    x: 'float8',
    y: 'float8',
    facing: 'float8',
    health: 'int4',
    health_max: 'int4',
    recovered_at_ms: 'int8?',
    start_zone_id: 'identifier',
    start_x: 'float8',
    start_y: 'float8',
    created_at_ms: 'int8',
  },
  guilds: { guild_id: 'identifier', name: 'text', created_at_ms: 'int8' },
  guild_members: { user_id: 'identifier', guild_id: 'identifier', rank: 'text', joined_at_ms: 'int8' },
  zones: { zone_id: 'identifier', name: 'text', width: 'float8', height: 'float8', capacity: 'int4', opens_instances: 'bool', battleground: 'bool' },
  portals: { from_zone_id: 'identifier', from_x: 'float8', from_y: 'float8', to_zone_id: 'identifier', to_x: 'float8', to_y: 'float8', reach: 'float8' },
  chat_messages: {
    message_id: 'uuid',
    realm: 'identifier',
    channel_kind: 'text',
    channel_id: 'identifier',
    from_user_id: 'identifier',
    from_name: 'text',
    text: 'text?',
    status: 'text',
    refusal: 'text?',
    refusal_until_ms: 'int8?',
    fingerprint: 'text?',
    sent_at_ms: 'int8',
    command_id: 'text?',
  },
  blocks: { user_id: 'identifier', blocked_user_id: 'identifier', created_at_ms: 'int8' },
  sanctions: {
    sanction_id: 'int8',
    user_id: 'identifier',
    kind: 'text',
    reason: 'text',
    created_by: 'text',
    created_at_ms: 'int8',
    until_ms: 'int8?',
    lifted_at_ms: 'int8?',
    lifted_by: 'text?',
  },
  reports: {
    report_id: 'identifier',
    message_id: 'uuid',
    reporter_user_id: 'identifier',
    reason: 'text',
    created_at_ms: 'int8',
    verdict: 'text?',
    resolved_by: 'text?',
    resolved_at_ms: 'int8?',
  },
  combats: {
    combat_id: 'identifier',
    realm: 'identifier',
    zone_id: 'identifier',
    status: 'text',
    version: 'int4',
    last_seq: 'int4',
    told_seq: 'int4',
    turn: 'int4',
    actor_id: 'identifier?',
    deadline_ms: 'int8?',
    seed: 'text',
    state: 'jsonb',
    outcome: 'text?',
    started_by_user_id: 'identifier?',
    start_command_id: 'text?',
    created_at_ms: 'int8',
    ended_at_ms: 'int8?',
  },
  combatants: {
    combat_id: 'identifier',
    character_id: 'identifier',
    user_id: 'identifier?',
    name: 'text',
    side: 'int4',
    health: 'int4',
    health_max: 'int4',
    open: 'bool',
  },
  combat_events: { combat_id: 'identifier', seq: 'int4', type: 'text', payload: 'jsonb', at_ms: 'int8' },
  combat_commands: {
    combat_id: 'identifier',
    kind: 'text',
    user_id: 'text',
    command_id: 'text',
    first_seq: 'int4?',
    last_seq: 'int4?',
    refusal: 'text?',
    at_ms: 'int8',
  },
  mailbox: {
    mail_id: 'int8',
    realm: 'identifier',
    user_id: 'identifier',
    event: 'text',
    payload: 'jsonb',
    idempotency_key: 'text?',
    created_at_ms: 'int8',
    expires_at_ms: 'int8?',
    delivered_at_ms: 'int8?',
  },
  service_audit: { audit_id: 'int8', at_ms: 'int8', actor: 'text', action: 'text', target: 'text', details: 'jsonb?', request_id: 'text?' },
  refresh_families: { family_id: 'uuid', user_id: 'identifier', current_token_id: 'uuid', used_at_ms: 'int8', expires_at_ms: 'int8', revoked_at_ms: 'int8?' },
  strikes: { user_id: 'identifier', feature: 'text', score: 'float8', score_before: 'float8', at_ms: 'int8', muted_until_ms: 'int8?', mute_begins: 'bool' },
};

it('the schema of the types is the schema of Postgres, column by column', async () => {
  const { rows } = await sql<{ table: keyof Schema; column: string; type: string }>`
    select c.table_name as table, c.column_name as column,
      coalesce(c.domain_name, c.udt_name) || case c.is_nullable when 'YES' then '?' else '' end as type
    from information_schema.columns c where c.table_schema = 'public' and c.table_name <> 'schema_migrations'`.execute(world.database.db);
  const found: Record<string, Record<string, string>> = {};
  for (const { table, column, type } of rows) (found[table] ??= {})[column] = type;
  expect(found).toEqual(columns);
});

describe('values', () => {
  it('of int8 are numbers, also from count(*), and too large ones are refused, not rounded', async () => {
    const { db } = world.database;
    const { rows } = await sql<{ n: number; all: number; many: number[] }>`
      select 9007199254740991::int8 as n, count(*) as all, array[1, 2]::int8[] as many`.execute(db);
    expect(rows).toEqual([{ n: Number.MAX_SAFE_INTEGER, all: 1, many: [1, 2] }]);
    const error: unknown = await sql`select 9007199254740992::int8 as n`.execute(db).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnsafeIntegerError);
    expect(isInfrastructureError(error)).toBe(false);
    expect(await db.selectFrom('users').selectAll().execute()).toEqual([]);
  });

  it('of jsonb come back as they were, and what JSON cannot hold is refused before it is sent', async () => {
    const { db } = world.database;
    const payload = { text: 'ü "quoted" 😀', list: [1, null, { deep: true }] };
    const mail = await db.insertInto('mailbox').values({ realm: 'main', user_id: 'p1', event: 'app:x', payload: json(payload) }).returningAll().executeTakeFirstOrThrow();
    expect(mail.payload).toEqual(payload);
    expect(Math.abs(mail.created_at_ms - Date.now())).toBeLessThan(60_000);
    expect(() => json({ n: 1n })).toThrow(TypeError);
  });

  it('that no column takes are refused with one code and without their text', async () => {
    const { db } = world.database;
    const refusalOf = async (work: Promise<unknown>): Promise<string> => {
      const rejection = toRejection(await work.catch((reason: unknown) => reason));
      expect(JSON.stringify(rejection.toRefusal())).not.toContain('no-uuid');
      return rejection.code;
    };
    expect(await refusalOf(db.selectFrom('chat_messages').selectAll().where('message_id', '=', 'no-uuid').execute())).toBe('payload/invalid');
    expect(await refusalOf(db.insertInto('users').values({ user_id: 'no-uuid\0', name: '' }).execute())).toBe('payload/invalid');
    expect(await refusalOf(db.insertInto('users').values({ user_id: 'x'.repeat(129), name: 'no-uuid' }).execute())).toBe('server/internal');
    expect(await refusalOf(sql`select nothing from nowhere`.execute(db))).toBe('server/internal');
  });

  it('with SQL in them stay values', async () => {
    const { db } = world.database;
    const userId = `x'; drop table users; --`;
    await db.insertInto('users').values({ user_id: userId, name: userId }).execute();
    expect(await db.selectFrom('users').select('name').where('user_id', '=', userId).execute()).toEqual([{ name: userId }]);
  });
});
