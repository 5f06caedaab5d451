import type { RealmId, UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMailbox, loadPlayer, type StoredMail, writeAudit } from '../src/index.ts';
import { playerQuery } from '../src/load-player.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld({ players: 3 });
});
afterAll(() => world[Symbol.asyncDispose]());

const realm = 'main' as RealmId;
let users = 0;
const newUser = (): UserId => `mailed-${(users += 1)}` as UserId;
const mail = (userId: UserId, n: number, more: { idempotencyKey?: string; realm?: RealmId } = {}) => ({ realm, userId, event: 'app:x', payload: { n }, ...more });
const numbers = (mails: readonly StoredMail[]): unknown[] => mails.map(({ payload }) => (payload as { n: number }).n);
const reader = () => {
  const mails: StoredMail[] = [];
  return { mails, deliver: async (each: StoredMail): Promise<void> => { mails.push(each); } };
};

describe('the mailbox', () => {
  it('hands out what waits, the oldest first, once', async () => {
    const box = createMailbox(world.database);
    const userId = newUser();
    for (let n = 1; n <= 120; n += 1) await box.put(mail(userId, n));
    const { mails, deliver } = reader();
    expect(await box.deliver(realm, userId, deliver)).toBe(120);
    expect(numbers(mails)).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
    expect(await box.deliver(realm, userId, deliver)).toBe(0);
    expect(mails[0]).toEqual({ mailId: expect.any(Number), event: 'app:x', payload: { n: 1 } });
  });

  it('hands each mail to one of many who ask at once', async () => {
    const userId = newUser();
    const boxes = Array.from({ length: 5 }, () => createMailbox(world.open({ poolMax: 1 })));
    for (let n = 1; n <= 60; n += 1) await boxes[0]!.put(mail(userId, n));
    const { mails, deliver } = reader();
    const counts = await Promise.all(boxes.map((box) => box.deliver(realm, userId, deliver)));
    expect(counts.reduce((sum, count) => sum + count)).toBe(60);
    expect(numbers(mails)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  });

  it('keeps what could not be delivered, and marks what could', async () => {
    const box = createMailbox(world.database);
    const userId = newUser();
    for (let n = 1; n <= 4; n += 1) await box.put(mail(userId, n));
    const tried: number[] = [];
    const failing = async ({ payload }: StoredMail): Promise<void> => {
      tried.push((payload as { n: number }).n);
      if (tried.length === 3) throw new Error('Redis is away');
    };
    await expect(box.deliver(realm, userId, failing)).rejects.toThrow('Redis is away');
    expect(tried).toEqual([1, 2, 3]);
    const { mails, deliver } = reader();
    expect(await box.deliver(realm, userId, deliver)).toBe(2);
    expect(numbers(mails)).toEqual([3, 4]);
  });

  it('gives a mail again whose deliverer died before he could mark it, under the same id', async () => {
    const box = createMailbox(world.database);
    const userId = newUser();
    await box.put(mail(userId, 1));
    const dying = world.open({ poolMax: 1, applicationName: 'dying' });
    const first = reader();
    const killed = createMailbox(dying).deliver(realm, userId, async (each) => {
      await first.deliver(each);
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dying'`.execute(world.database.db);
    });
    await expect(killed).rejects.toMatchObject({ code: 'server/unavailable' });
    const second = reader();
    expect(await box.deliver(realm, userId, second.deliver)).toBe(1);
    expect(second.mails).toEqual(first.mails);
  });

  it('is bounded: the oldest goes, and its sender is told', async () => {
    const box = createMailbox(world.database, { waitingMax: 3 });
    const userId = newUser();
    const dropped: number[] = [];
    for (let n = 1; n <= 5; n += 1) dropped.push((await box.put(mail(userId, n))).dropped);
    expect(dropped).toEqual([0, 0, 0, 1, 1]);
    const { mails, deliver } = reader();
    await box.deliver(realm, userId, deliver);
    expect(numbers(mails)).toEqual([3, 4, 5]);
  });

  it('is bounded also when many put at once', async () => {
    const userId = newUser();
    const box = createMailbox(world.open({ poolMax: 4 }), { waitingMax: 3 });
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => box.put(mail(userId, n))));
    expect(results.reduce((sum, { dropped }) => sum + dropped, 0)).toBe(17);
    const { mails, deliver } = reader();
    expect(await box.deliver(realm, userId, deliver)).toBe(3);
    expect(mails.map(({ mailId }) => mailId)).toEqual(results.map(({ mailId }) => mailId).sort((a, b) => a - b).slice(-3));
  });

  it('forgets what has expired, and what was delivered long ago', async () => {
    const userId = newUser();
    const box = createMailbox(world.database, { keepForMs: -1 });
    await box.put(mail(userId, 1));
    const { mails, deliver } = reader();
    expect(await box.deliver(realm, userId, deliver)).toBe(0);
    await createMailbox(world.database).put(mail(userId, 2));
    await createMailbox(world.database).deliver(realm, userId, deliver);
    expect(numbers(mails)).toEqual([2]);
    await eventually(async () => {
      await box.put(mail(userId, 3));
      const { rows } = await sql<{ n: number }>`select (payload->>'n')::int4 as n from mailbox where user_id = ${userId}`.execute(world.database.db);
      return rows.every(({ n }) => n === 3);
    });
  });

  it('has one mail per key and realm', async () => {
    const box = createMailbox(world.database);
    const userId = newUser();
    const first = await box.put(mail(userId, 1, { idempotencyKey: 'k' }));
    expect(await box.put(mail(userId, 1, { idempotencyKey: 'k' }))).toEqual({ mailId: first.mailId, repeated: true, dropped: 0 });
    const other = await box.put(mail(userId, 1, { idempotencyKey: 'k', realm: 'other' as RealmId }));
    expect(other).toMatchObject({ repeated: false });
    const { mails, deliver } = reader();
    await box.deliver(realm, userId, deliver);
    expect(mails.map(({ mailId }) => mailId)).toEqual([first.mailId]);
    expect((await box.put(mail(userId, 1, { idempotencyKey: 'k' }))).repeated).toBe(true);
    expect(await box.deliver(realm, userId, deliver)).toBe(0);
  });

  it('refuses what no column takes with a code of the catalogue', async () => {
    const box = createMailbox(world.database);
    await expect(box.put({ ...mail(newUser(), 1), payload: { text: '\u0000' } })).rejects.toMatchObject({ code: 'payload/invalid' });
  });
});

describe('whether mail waits', () => {
  it('is known with the player, for the realms asked about', async () => {
    const box = createMailbox(world.database);
    const userId = 'p2' as UserId;
    const mailOf = async (...realms: string[]) => (await loadPlayer(world.database, { userId, mailOf: realms }))?.mail;
    expect(await mailOf('main', 'other')).toEqual([]);
    await box.put(mail(userId, 1));
    expect(await mailOf()).toEqual([]);
    expect(await mailOf('other', 'main')).toEqual(['main']);
    await box.deliver(realm, userId, async () => {});
    expect(await mailOf('main')).toEqual([]);
    await createMailbox(world.database, { keepForMs: -1 }).put(mail(userId, 2));
    expect(await mailOf('main')).toEqual([]);
  });

  it('is found by index', async () => {
    await sql`insert into mailbox (realm, user_id, event, payload) select 'main', 'filler-' || n, 'app:x', '{}' from generate_series(1, 5000) n`.execute(world.database.db);
    await sql`analyze mailbox`.execute(world.database.db);
    const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${playerQuery({ userId: 'p2' as UserId, mailOf: ['main'] })}`.execute(world.database.db);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/mailbox_(waiting|of_user)/);
    expect(plan).not.toContain('Seq Scan on mailbox');
  });
});

describe('the audit log', () => {
  it('has who did what to whom', async () => {
    const line = { actor: 'backend', action: 'emit', target: 'user:p1', details: { event: 'app:x' }, requestId: 'r1' };
    await writeAudit(world.database, line);
    expect(await world.database.db.selectFrom('service_audit').selectAll().execute()).toMatchObject([
      { actor: 'backend', action: 'emit', target: 'user:p1', details: { event: 'app:x' }, request_id: 'r1', at_ms: expect.any(Number) },
    ]);
  });
});
