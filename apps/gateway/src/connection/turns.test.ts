import { describe, expect, it } from 'vitest';
import { Turns, turnsWaitingMax } from './turns.ts';

describe('turns', () => {
  it('runs tasks one after the other, also when an earlier one is slower', async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const { promise: first, resolve } = Promise.withResolvers<undefined>();
    const { promise: done, resolve: finish } = Promise.withResolvers<undefined>();
    turns.take(async () => {
      await first;
      seen.push('slow');
    });
    turns.take(async () => {
      seen.push('quick');
      finish(undefined);
    });
    expect(seen).toEqual([]);
    resolve(undefined);
    await done;
    expect(seen).toEqual(['slow', 'quick']);
  });

  it('refuses a task when too many wait, and goes on afterwards', async () => {
    const turns = new Turns();
    const { promise: gate, resolve } = Promise.withResolvers<undefined>();
    turns.take(() => gate);
    let ran = 0;
    const taken = Array.from({ length: turnsWaitingMax + 5 }, () => turns.take(async () => void (ran += 1)));
    expect(taken.filter(Boolean)).toHaveLength(turnsWaitingMax);
    resolve(undefined);
    await new Promise((next) => setImmediate(next));
    expect(ran).toBe(turnsWaitingMax);
    expect(turns.take(async () => undefined)).toBe(true);
  });
});
