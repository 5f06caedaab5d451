import type { Player } from '@skirmish/database';
import type { UserId } from '@skirmish/protocol';
import { describe, expect, it } from 'vitest';
import { PlayerCache } from './player-cache.ts';

const user = (id: string) => ({ userId: id as UserId });
const playerOf = (userId: string, version: number) => ({ userId, name: String(version) }) as unknown as Player;

const cacheOf = (more: { entriesMax?: number } = {}) => {
  const state = { loads: 0, nowMs: 0, answer: (id: string): Promise<Player | null> => Promise.resolve(playerOf(id, state.loads)) };
  const load = ({ userId }: { userId: UserId }): Promise<Player | null> => {
    state.loads += 1;
    return state.answer(userId);
  };
  return { state, cache: new PlayerCache({ load, now: () => state.nowMs, ttlMs: 100, ...more }) };
};

describe('the cache of players', () => {
  it('asks once for equal queries at the same time and until the time is over', async () => {
    const { state, cache } = cacheOf();
    const [first, second] = await Promise.all([cache.get(user('a')), cache.get(user('a'))]);
    expect(second).toBe(first);
    state.nowMs = 99;
    expect(await cache.get(user('a'))).toBe(first);
    expect(state.loads).toBe(1);
    state.nowMs = 100;
    expect(await cache.get(user('a'))).not.toBe(first);
    expect(state.loads).toBe(2);
  });

  it('a refresh asks again and its answer is kept', async () => {
    const { state, cache } = cacheOf();
    await cache.get(user('a'));
    const fresh = await cache.refresh(user('a'));
    expect(await cache.get(user('a'))).toBe(fresh);
    expect(state.loads).toBe(2);
  });

  it('keeps characters of one user apart', async () => {
    const { state, cache } = cacheOf();
    await cache.get(user('a'));
    await cache.get({ ...user('a'), characterId: 'c1' as never });
    expect(state.loads).toBe(2);
  });

  it('keeps neither an error nor an empty answer', async () => {
    const { state, cache } = cacheOf();
    state.answer = () => Promise.reject(new Error('away'));
    await expect(cache.get(user('a'))).rejects.toThrow('away');
    state.answer = () => Promise.resolve(null);
    expect(await cache.get(user('a'))).toBeNull();
    expect(await cache.get(user('a'))).toBeNull();
    expect(state.loads).toBe(3);
    expect(cache.size).toBe(0);
  });

  it('forgets the oldest when it is full', async () => {
    const { state, cache } = cacheOf({ entriesMax: 2 });
    for (const id of ['a', 'b', 'c']) await cache.get(user(id));
    expect(cache.size).toBe(2);
    await cache.get(user('c'));
    expect(state.loads).toBe(3);
    await cache.get(user('a'));
    expect(state.loads).toBe(4);
  });
});
