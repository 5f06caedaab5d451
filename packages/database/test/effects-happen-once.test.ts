import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { json } from '../src/index.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const combat = { combat_id: 'f1', realm: 'main', zone_id: 'meadow', status: 'open', seed: 's', state: json({}) } as const;
const combats = () => world.database.db.insertInto('combats');
const events = () => world.database.db.insertInto('combat_events');
const commands = () => world.database.db.insertInto('combat_commands');
const act = { combat_id: 'f1', kind: 'combat.act', user_id: 'p1', command_id: '1' } as const;

beforeEach(async () => {
  await world.database.db.deleteFrom('combats').execute();
  await combats().values(combat).execute();
});

describe('what the tables themselves refuse', () => {
  it('the same seq of a combat twice, and a seq below 1', async () => {
    await events().values({ combat_id: 'f1', seq: 1, type: 'combat:started', payload: json({}) }).execute();
    await expect(events().values({ combat_id: 'f1', seq: 1, type: 'combat:ended', payload: json({}) }).execute()).rejects.toMatchObject({ code: '23505' });
    await expect(events().values({ combat_id: 'f1', seq: 0, type: 'combat:ended', payload: json({}) }).execute()).rejects.toMatchObject({ code: '23514' });
  });

  it('the same command twice, but not the same id of another user or event', async () => {
    await commands().values({ ...act, first_seq: 2, last_seq: 2 }).execute();
    await expect(commands().values({ ...act, refusal: 'combat/stale-turn' }).execute()).rejects.toMatchObject({ code: '23505' });
    await commands().values([{ ...act, user_id: 'p2' }, { ...act, kind: 'combat.start' }]).execute();
    await expect(commands().values({ ...act, command_id: '2', first_seq: 1, last_seq: 1, refusal: 'combat/over' }).execute()).rejects.toMatchObject({ code: '23514' });
  });

  it('an ended combat with a deadline or without an end, and more told than happened', async () => {
    const update = () => world.database.db.updateTable('combats');
    await expect(update().set({ status: 'ended' }).execute()).rejects.toMatchObject({ code: '23514' });
    await expect(update().set({ status: 'ended', ended_at_ms: 1, deadline_ms: 2 }).execute()).rejects.toMatchObject({ code: '23514' });
    await expect(update().set({ told_seq: 1 }).execute()).rejects.toMatchObject({ code: '23514' });
    await update().set({ status: 'ended', ended_at_ms: 1 }).execute();
  });

  it('mail of one idempotency key twice, per user and realm', async () => {
    const mail = { realm: 'main', user_id: 'p1', event: 'app:x', payload: json({}), idempotency_key: 'k' };
    const send = (more: object) => world.database.db.insertInto('mailbox').values({ ...mail, ...more }).execute();
    await send({});
    await send({ user_id: 'p2' });
    await send({ idempotency_key: null });
    await send({ idempotency_key: null });
    await expect(send({})).rejects.toMatchObject({ code: '23505' });
  });

  it('a chat message that is refused and has a text, or neither', async () => {
    const message = {
      message_id: '0192f000-0000-7000-8000-000000000001',
      realm: 'main',
      channel_kind: 'zone',
      channel_id: 'meadow',
      from_user_id: 'p1',
      from_name: 'Player 1',
      sent_at_ms: 1,
    } as const;
    const insert = (more: { text: string | null; status: 'refused' | 'delivered'; refusal?: string }) =>
      world.database.db.insertInto('chat_messages').values({ ...message, ...more }).execute();
    await expect(insert({ text: 'vile', status: 'refused', refusal: 'chat/profanity' })).rejects.toMatchObject({ code: '23514' });
    await expect(insert({ text: null, status: 'delivered' })).rejects.toMatchObject({ code: '23514' });
    await expect(insert({ text: null, status: 'refused' })).rejects.toMatchObject({ code: '23514' });
    await insert({ text: null, status: 'refused', refusal: 'chat/profanity' });
  });
});

describe('two steps on one version', () => {
  it('of them one finds its version gone', async () => {
    const step = () => world.database.db.updateTable('combats').set({ version: 2 }).where('combat_id', '=', 'f1').where('version', '=', 1).executeTakeFirst();
    const updated = (await Promise.all([step(), step()])).map((result) => result.numUpdatedRows);
    expect(updated.sort()).toEqual([0n, 1n]);
  });
});

describe('a combat that is deleted', () => {
  it('takes its rows along', async () => {
    await events().values({ combat_id: 'f1', seq: 1, type: 'combat:started', payload: json({}) }).execute();
    await commands().values({ ...act, refusal: 'combat/over' }).execute();
    await world.database.db.deleteFrom('combats').where('combat_id', '=', 'f1').execute();
    const { rows } = await sql<{ left: number }>`select (select count(*) from combat_events) + (select count(*) from combat_commands) as left`.execute(world.database.db);
    expect(rows).toEqual([{ left: 0 }]);
  });
});
