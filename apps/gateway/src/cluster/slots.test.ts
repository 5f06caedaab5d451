import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';
import { Slots } from './slots.ts';

/** Tasks that end when they are told to. */
const tasks = (slots: Slots) => {
  const started: number[] = [];
  const ends = new Map<number, PromiseWithResolvers<number>>();
  const begin = (n: number): Promise<number> => {
    const end = Promise.withResolvers<number>();
    ends.set(n, end);
    return slots.run(() => {
      started.push(n);
      return end.promise;
    });
  };
  return { started, begin, end: (n: number) => ends.get(n)?.resolve(n), fail: (n: number) => ends.get(n)?.reject(new Error(`task ${n}`)) };
};

describe('slots', () => {
  it('let so many run, the others in their order, and a task that fails frees its place', async () => {
    const slots = new Slots(2, 60_000);
    const { started, begin, end, fail } = tasks(slots);
    const all = [1, 2, 3, 4, 5].map(begin);
    expect([started, slots.waiting]).toEqual([[1, 2], 3]);
    fail(2);
    await expect(all[1]).rejects.toThrow('task 2');
    await eventually(() => started.length === 3);
    end(1);
    await eventually(() => started.length === 4);
    expect([started, slots.waiting]).toEqual([[1, 2, 3, 4], 1]);
    for (const n of [3, 4]) end(n);
    await eventually(() => started.length === 5);
    end(5);
    expect(await Promise.all(all.filter((_, index) => index !== 1))).toEqual([1, 3, 4, 5]);
    // All places are free again, and no more than there were.
    const more = [6, 7, 8].map(begin);
    expect(started.slice(5)).toEqual([6, 7]);
    for (const n of [6, 7]) end(n);
    await eventually(() => started.length === 8);
    end(8);
    await Promise.all(more);
  });

  it('refuse who waited too long as busy, and give its turn to nobody', async () => {
    const slots = new Slots(1, 50);
    const { started, begin, end } = tasks(slots);
    const first = begin(1);
    await expect(begin(2)).rejects.toMatchObject({ code: 'server/busy' });
    expect(slots.waiting).toBe(0);
    end(1);
    expect(await first).toBe(1);
    const third = begin(3);
    expect(started).toEqual([1, 3]);
    end(3);
    expect(await third).toBe(3);
  });
});
