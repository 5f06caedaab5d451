import type { UserId } from '@skirmish/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addStrikes, type AddedStrikes, type NewStrikes, type StrikeRules } from '../src/index.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld({ players: 1 });
});
afterAll(() => world[Symbol.asyncDispose]());

const rules: StrikeRules = { decayPerMinute: 60, scoreMax: 2_000, muteAt: 120, muteMs: 60_000, neverMuted: ['', 'session'] };
let users = 0;
const newUser = (): UserId => `striker-${(users += 1)}` as UserId;
const strikes = (userId: UserId, feature: string, count: number): NewStrikes => ({ userId, feature, count });
const add = (...all: NewStrikes[]): Promise<AddedStrikes[]> => addStrikes(world.database, all, rules);
const lasting: StrikeRules = { ...rules, decayPerMinute: 0.001 };
const rowsOf = (userId: UserId) => world.database.db.selectFrom('strikes').selectAll().where('user_id', '=', userId).orderBy('feature').execute();
const backdate = (userId: UserId, byMs: number) =>
  world.database.db.updateTable('strikes').set((row) => ({ at_ms: row('at_ms', '-', byMs) })).where('user_id', '=', userId).execute();

async function only(added: Promise<AddedStrikes[]>): Promise<AddedStrikes> {
  const [first, ...rest] = await added;
  if (!first || rest.length > 0) throw new Error('one row was expected');
  return first;
}

describe('strikes', () => {
  it('add up per user and feature, in one statement for many', async () => {
    const [a, b] = [newUser(), newUser()];
    await addStrikes(world.database, [strikes(a, '', 5), strikes(a, 'chat', 5), strikes(b, '', 7), strikes(b, 'combat', 7)], lasting);
    const added = await addStrikes(world.database, [strikes(b, '', 1), strikes(b, 'chat', 1), strikes(a, '', 3), strikes(a, 'chat', 3)], lasting);
    const of = (userId: UserId, feature: string) => added.find((row) => row.userId === userId && row.feature === feature);
    expect(of(a, '')?.after).toBeCloseTo(8, 0);
    expect(of(a, 'chat')?.before).toBeCloseTo(5, 0);
    expect(of(b, '')?.after).toBeCloseTo(8, 0);
    expect(of(b, 'chat')).toMatchObject({ before: 0, after: 1, mutedForMs: 0, muteBegins: false });
  });

  it('[LIM3] fade with time, to nothing and not below', async () => {
    const userId = newUser();
    await add(strikes(userId, '', 100));
    await backdate(userId, 30_000);
    const half = await only(add(strikes(userId, '', 1)));
    expect(half.before).toBeGreaterThan(60);
    expect(half.before).toBeLessThanOrEqual(70);
    expect(half.after - half.before).toBeCloseTo(1);
    await backdate(userId, 600_000);
    expect(await only(add(strikes(userId, '', 1)))).toMatchObject({ before: 0, after: 1 });
  });

  it('never grow beyond their greatest score', async () => {
    const userId = newUser();
    await add(strikes(userId, '', 1e9));
    expect(await only(add(strikes(userId, '', 1e9)))).toMatchObject({ after: 2_000 });
  });

  it('[LIM5] give each stretch of the total to one of many who add at once', async () => {
    const many = Array.from({ length: 200 }, newUser);
    // In opposite orders: whoever waits for one row must not hold another that somebody waits for.
    const forth = many.map((userId) => strikes(userId, '', 10));
    const databases = Array.from({ length: 5 }, () => world.open({ poolMax: 1 }));
    const batches = Array.from({ length: 20 }, (_, index) => addStrikes(databases[index % 5]!, index % 2 ? forth : forth.toReversed(), lasting));
    const byUser = Map.groupBy((await Promise.all(batches)).flat(), ({ userId }) => userId);
    const stretches = Array.from({ length: 20 }, (_, index) => [index * 10, index * 10 + 10]);
    for (const userId of many) {
      const mine = (byUser.get(userId) ?? []).sort((x, y) => x.before - y.before);
      expect(mine.map(({ before, after }) => [Math.round(before), Math.round(after)])).toEqual(stretches);
    }
  });

  it('[LIM4] begin a mute once, and again only when it is over', async () => {
    const userId = newUser();
    const at = (count: number) => only(addStrikes(world.database, [strikes(userId, 'chat', count)], lasting));
    expect(await at(119)).toMatchObject({ muteBegins: false, mutedForMs: 0 });
    const begun = await at(5);
    expect(begun.muteBegins).toBe(true);
    expect(begun.mutedForMs).toBeGreaterThan(50_000);
    expect(begun.mutedForMs).toBeLessThanOrEqual(60_000);
    const later = await at(5);
    expect(later.muteBegins).toBe(false);
    expect(later.mutedForMs).toBeGreaterThan(50_000);
    await world.database.db.updateTable('strikes').set({ muted_until_ms: 1 }).where('user_id', '=', userId).execute();
    expect(await at(1)).toMatchObject({ muteBegins: true });
  });

  it('[LIM4] begin one mute when many add at once', async () => {
    const userId = newUser();
    const databases = Array.from({ length: 5 }, () => world.open({ poolMax: 1 }));
    const added = await Promise.all(databases.map((database) => only(addStrikes(database, [strikes(userId, 'chat', 119)], rules))));
    expect(added.filter(({ muteBegins }) => muteBegins).length).toBe(1);
  });

  it('[LIM4] mute at the first strikes as well, and never what must go on', async () => {
    const userId = newUser();
    const added = await add(strikes(userId, '', 500), strikes(userId, 'session', 500), strikes(userId, 'party', 500));
    expect(added.map(({ feature, muteBegins }) => [feature, muteBegins]).sort()).toEqual([['', false], ['party', true], ['session', false]]);
    expect((await add(strikes(userId, 'session', 1), strikes(userId, '', 1))).some(({ mutedForMs }) => mutedForMs > 0)).toBe(false);
  });

  it('are forgotten when they have faded, by whoever adds next', async () => {
    const [gone, young, next] = [newUser(), newUser(), newUser()];
    await add(strikes(gone, '', 2_000), strikes(gone, 'chat', 1), strikes(young, '', 2_000));
    await backdate(gone, 2_001_000);
    await backdate(young, 1_990_000);
    await add(strikes(next, '', 1));
    expect(await rowsOf(gone)).toEqual([]);
    expect((await rowsOf(young)).length).toBe(1);
    await backdate(next, 2_001_000);
    expect(await only(add(strikes(next, '', 1)))).toMatchObject({ before: 0, after: 1 });
  });
});
