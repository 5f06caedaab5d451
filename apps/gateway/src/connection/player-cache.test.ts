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
});
