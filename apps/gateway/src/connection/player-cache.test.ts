import type { Player } from '@skirmish/database';
import type { RealmId, UserId } from '@skirmish/protocol';
import { describe, expect, it } from 'vitest';
import { PlayerCache } from './player-cache.ts';

const user = (id: string) => ({ realm: 'main' as RealmId, userId: id as UserId });
const playerOf = (userId: string, version: number) => ({ userId, name: String(version) }) as unknown as Player;

const cacheOf = (more: { entriesMax?: number } = {}) => {
  const state = { loads: 0, nowMs: 0, stale: 0, answer: (id: string): Promise<Player | null> => Promise.resolve(playerOf(id, state.loads)) };
  const load = ({ userId }: { userId: UserId }): Promise<Player | null> => {
    state.loads += 1;
    return state.answer(userId);
  };
  return { state, cache: new PlayerCache({ load, now: () => state.nowMs, ttlMs: 100, onStale: () => { state.stale += 1; }, ...more }) };
};

describe('the cache of players', () => {
  it('asks once for equal queries at the same time and until the time is over', async () => {
    const { state, cache } = cacheOf();
    const [first, second] = await Promise.all([cache.get(user('a'), null), cache.get(user('a'), null)]);
    expect(second).toBe(first);
    state.nowMs = 99;
    expect(await cache.get(user('a'), null)).toBe(first);
    expect(state.loads).toBe(1);
    state.nowMs = 100;
    expect(await cache.get(user('a'), null)).not.toBe(first);
    expect(state.loads).toBe(2);
  });

  it('asks again under another mark, and keeps the answer under that one', async () => {
    const { state, cache } = cacheOf();
    const first = await cache.get(user('a'), null);
    const fresh = await cache.get(user('a'), 'm1');
    expect(fresh).not.toBe(first);
    expect(await cache.get(user('a'), 'm1')).toBe(fresh);
    expect(state.loads).toBe(2);
  });

  it('keeps characters of one user apart, and realms, whose marks differ', async () => {
    const { state, cache } = cacheOf();
    await cache.get(user('a'), null);
    await cache.get({ ...user('a'), characterId: 'c1' as never }, null);
    await cache.get({ ...user('a'), realm: 'other' as RealmId }, null);
    expect(state.loads).toBe(3);
  });

  it('keeps neither an error nor an empty answer', async () => {
    const { state, cache } = cacheOf();
    state.answer = () => Promise.reject(new Error('away'));
    await expect(cache.get(user('a'), null)).rejects.toThrow('away');
    state.answer = () => Promise.resolve(null);
    expect(await cache.get(user('a'), null)).toBeNull();
    expect(await cache.get(user('a'), null)).toBeNull();
    expect(state.loads).toBe(3);
    expect(cache.size).toBe(0);
  });

  it('forgets the oldest when it is full', async () => {
    const { state, cache } = cacheOf({ entriesMax: 2 });
    for (const id of ['a', 'b', 'c']) await cache.get(user(id), null);
    expect(cache.size).toBe(2);
    await cache.get(user('c'), null);
    expect(state.loads).toBe(3);
    await cache.get(user('a'), null);
    expect(state.loads).toBe(4);
  });
});

describe('while the database is away', () => {
  const away = (): Promise<never> => Promise.reject(new Error('away'));

  it('an earlier reading has to do, as old as it is, and the database is asked again each time', async () => {
    const { state, cache } = cacheOf();
    const first = await cache.get(user('a'), null);
    state.answer = away;
    state.nowMs = 200;
    expect(await cache.get(user('a'), null)).toBe(first);
    expect(await cache.get(user('a'), 'a fight began')).toBe(first);
    expect(state).toMatchObject({ loads: 3, stale: 2 });
    state.answer = () => Promise.resolve(playerOf('a', 9));
    expect(await cache.get(user('a'), 'a fight began')).toMatchObject({ name: '9' });
  });

  it('not after a binding change, and not when it is older than marks are kept', async () => {
    const { state, cache } = cacheOf();
    await cache.get(user('a'), null);
    await cache.get(user('b'), '!read');
    state.answer = away;
    state.nowMs = 200;
    await expect(cache.get(user('a'), '!banned')).rejects.toThrow('away');
    expect(await cache.get(user('b'), '!read')).toMatchObject({ userId: 'b' });
    state.nowMs = 600_000;
    await expect(cache.get(user('b'), '!read')).rejects.toThrow('away');
  });

  it('a reading that fails does not forget the earlier one for those who ask meanwhile', async () => {
    const { state, cache } = cacheOf();
    const first = await cache.get(user('a'), null);
    state.nowMs = 200;
    state.answer = away;
    const answers = await Promise.all([cache.get(user('a'), null), cache.get(user('a'), null)]);
    expect(answers).toEqual([first, first]);
    expect(state.loads).toBe(2);
  });

  it('is never passed on as younger than it is: not by one that failed under a newer mark, and to another', async () => {
    const { state, cache } = cacheOf();
    const first = await cache.get(user('a'), null);
    const failures: (() => void)[] = [];
    state.answer = () => new Promise((_resolve, reject) => { failures.push(() => { reject(new Error('away')); }); });
    state.nowMs = 599_950;
    const under = [cache.get(user('a'), 'fight 1'), cache.get(user('a'), 'fight 2')];
    for (const fail of failures) fail();
    expect(await Promise.all(under)).toEqual([first, first]);
    // It was read before the first fight began.
    state.answer = () => Promise.resolve(playerOf('a', 9));
    expect(await cache.get(user('a'), 'fight 1')).toMatchObject({ name: '9' });
  });

  it('is believed no longer than marks are kept, however many follow one another', async () => {
    const { state, cache } = cacheOf();
    await cache.get(user('a'), null);
    const failures: (() => void)[] = [];
    state.answer = () => new Promise((_resolve, reject) => { failures.push(() => { reject(new Error('away')); }); });
    state.nowMs = 599_950;
    const under = [cache.get(user('a'), 'fight 1'), cache.get(user('a'), 'fight 2')];
    for (const fail of failures) fail();
    await Promise.all(under);
    state.answer = away;
    state.nowMs = 600_000;
    await expect(cache.get(user('a'), 'fight 3')).rejects.toThrow('away');
  });

  it('does not come back over a newer one that was kept meanwhile', async () => {
    const { state, cache } = cacheOf();
    await cache.get(user('a'), null);
    let fail = (): void => undefined;
    state.answer = () => new Promise((_resolve, reject) => { fail = () => { reject(new Error('away')); }; });
    const slow = cache.get(user('a'), 'fight 1');
    state.answer = () => Promise.resolve(playerOf('a', 9));
    const newer = await cache.get(user('a'), 'fight 2');
    fail();
    await slow;
    expect(await cache.get(user('a'), 'fight 2')).toBe(newer);
  });
});

describe('when the marks of a realm are lost', () => {
  it('what was read before counts no longer, also of a query that is under way; while the database is away it has to do', async () => {
    const { state, cache } = cacheOf();
    const first = await cache.get(user('a'), null);
    let answer = (): void => undefined;
    state.answer = (id) => new Promise((resolve) => { answer = () => { resolve(playerOf(id, 5)); }; });
    const underWay = cache.get(user('b'), null);
    const elsewhere = { ...user('a'), realm: 'other' as RealmId };
    state.answer = (id) => Promise.resolve(playerOf(id, state.loads));
    await cache.get(elsewhere, null);
    cache.distrust('main' as RealmId);
    state.nowMs = 1;
    answer();
    await underWay;
    state.answer = () => Promise.reject(new Error('away'));
    expect(await cache.get(user('a'), null)).toBe(first);
    state.answer = (id) => Promise.resolve(playerOf(id, 9));
    const loads = state.loads;
    for (const id of ['a', 'b']) expect(await cache.get(user(id), null)).toMatchObject({ name: '9' });
    await cache.get(elsewhere, null);
    expect(state.loads).toBe(loads + 2);
  });
});

describe('the age of a reading', () => {
  it('does not follow a clock of the host that is set back', async () => {
    let loads = 0;
    let backMs = 0;
    const { now } = Date;
    Date.now = () => now() - backMs;
    try {
      const cache = new PlayerCache({ load: ({ userId }) => Promise.resolve(playerOf(userId, (loads += 1))), ttlMs: 0 });
      await cache.get(user('a'), null);
      backMs = 3_600_000;
      await cache.get(user('a'), null);
      expect(loads).toBe(2);
    } finally {
      Date.now = now;
    }
  });
});
