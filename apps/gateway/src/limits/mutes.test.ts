import type { UserId } from '@skirmish/protocol';
import { describe, expect, it } from 'vitest';
import { Mutes } from './mutes.ts';

const user = (n: number): UserId => `u${n}` as UserId;

describe('mutes', () => {
  it('[LIM4] hold for one feature of one user, until they end', () => {
    const mutes = new Mutes();
    mutes.set(user(1), 'chat', 1_000);
    expect([mutes.leftMs(user(1), 'chat', 400), mutes.leftMs(user(1), 'chat', 1_000), mutes.leftMs(user(1), 'party', 0), mutes.leftMs(user(2), 'chat', 0)]).toEqual([600, 0, 0, 0]);
  });

  it('are not shortened by older news', () => {
    const mutes = new Mutes();
    mutes.set(user(1), 'chat', 1_000);
    mutes.set(user(1), 'chat', 500);
    expect(mutes.leftMs(user(1), 'chat', 0)).toBe(1_000);
  });

  it('are forgotten when they are over, and bounded', () => {
    const mutes = new Mutes();
    mutes.set(user(1), 'chat', 1_000);
    mutes.set(user(1), 'party', 2_000);
    mutes.sweep(1_500);
    expect([mutes.userCount, mutes.leftMs(user(1), 'party', 0)]).toEqual([1, 2_000]);
    mutes.sweep(2_000);
    expect(mutes.userCount).toBe(0);
    for (let n = 0; n < 10_005; n += 1) mutes.set(user(n), 'chat', 1_000);
    expect([mutes.userCount, mutes.leftMs(user(0), 'chat', 0), mutes.leftMs(user(10_004), 'chat', 0)]).toEqual([10_000, 0, 1_000]);
  });
});
