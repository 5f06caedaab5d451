import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { actOf, commandOf, openLanes, turnOf } from './_lanes.ts';

describe('a lane', () => {
  it('steps the commands of a key in the order of the pushes, one at a time', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    let inside = 0;
    let insideMax = 0;
    await lanes.work(async (command) => {
      insideMax = Math.max(insideMax, (inside += 1));
      await new Promise(setImmediate);
      seen.push(turnOf(command));
      inside -= 1;
    });
    for (let turn = 1; turn <= 100; turn += 1) await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn) });
    await eventually(() => seen.length === 100);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(insideMax).toBe(1);
  });
});
