import { awakeMsOf, eventually, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { actOf, openLanes, turnOf } from './_lanes.ts';

describe('a worker that closes', () => {
  it('ends its step, takes no other, and leaves the rest to the next worker', async () => {
    await using lanes = await openLanes();
    const seen: string[] = [];
    const step = (name: string) => async (command: Parameters<typeof turnOf>[0]) => {
      seen.push(`${name} ${turnOf(command)}`);
      await timePasses(100, 'a step that runs while the worker closes');
    };
    const first = await lanes.work(step('first'));
    for (const turn of [1, 2, 3]) await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn) });
    await eventually(() => seen.length === 1);
    await first.close();
    expect(seen).toEqual(['first 1']);
    await lanes.work(step('second'));
    await eventually(() => seen.length === 3, { timeoutMs: 15_000 });
    expect(seen).toEqual(['first 1', 'second 2', 'second 3']);
  });

  it('cuts off a step that hangs, and hands its lane over at once, without counting a try', async () => {
    await using lanes = await openLanes();
    let inside = false;
    const worker = await lanes.work(() => {
      inside = true;
      return new Promise(() => undefined);
    });
    await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) });
    await eventually(() => inside);
    const tries: number[] = [];
    const tookMs = await awakeMsOf(async () => {
      await worker.close(300);
      await lanes.work(async (command) => void tries.push(command.tries));
      await eventually(() => tries.length === 1, { timeoutMs: 15_000 });
    });
    expect(tries).toEqual([1]);
    expect(tookMs).toBeLessThan(2000);
  });
});
