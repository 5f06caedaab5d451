import { keysOf } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';
import { describe, expect, it } from 'vitest';

import { nextScript, refundScript } from '../src/lane-scripts.ts';
import { actOf, openLanes } from './_lanes.ts';
import type { Lanes } from './_lanes.ts';

const namesOf = (lanes: Lanes) => {
  const keys = keysOf(lanes.realm);
  return [keys.lane('combat', 'c1'), keys.laneState('combat', 'c1'), keys.lanes('combat'), keys.laneDead('combat')] as const;
};
const next = (lanes: Lanes, finished: string, attempt: string, wanted: 0 | 1 = 1, dead = '') =>
  nextScript.run(lanes.redis, namesOf(lanes), ['c1', finished, attempt, wanted, dead, 2, 60_000]);
const push = (lanes: Lanes, turn: number) => lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn) });
const head = async (redis: Redis, lanes: Lanes) => (await redis.lindex(namesOf(lanes)[0], 0)) ?? '';

describe('the pop', () => {
  it('compares the head: a worker that woke up late pops nothing of another one', async () => {
    await using lanes = await openLanes();
    await push(lanes, 1);
    await push(lanes, 2);
    const first = await head(lanes.redis, lanes);
    expect((await next(lanes, first, 'b')).outcome).toBe('head');
    expect(await next(lanes, first, 'a')).toEqual({ outcome: 'lost' });
    expect(await lanes.redis.llen(namesOf(lanes)[0])).toBe(1);
  });

  it('sent twice by its connection pops once and counts one try', async () => {
    await using lanes = await openLanes();
    await push(lanes, 1);
    await push(lanes, 2);
    const first = await head(lanes.redis, lanes);
    const once = await next(lanes, first, 'a');
    expect(await next(lanes, first, 'a')).toEqual(once);
    expect(once).toMatchObject({ outcome: 'head', tries: 1 });
    expect(await lanes.redis.llen(namesOf(lanes)[0])).toBe(1);
    expect(await next(lanes, '', 'c')).toMatchObject({ tries: 2 });
  });

  it('of a dead command writes it to the dead list in the same step, which keeps the newest', async () => {
    await using lanes = await openLanes();
    for (const turn of [1, 2, 3]) {
      await push(lanes, turn);
      expect(await next(lanes, await head(lanes.redis, lanes), `a${turn}`, 0, `dead ${turn}`)).toEqual({ outcome: 'empty' });
    }
    expect(await lanes.redis.lrange(namesOf(lanes)[3], 0, -1)).toEqual(['dead 3', 'dead 2']);
  });
});

describe('a try', () => {
  it('is counted before the step and taken back once, only by the attempt that counted it', async () => {
    await using lanes = await openLanes();
    await push(lanes, 1);
    expect(await next(lanes, '', 'a')).toMatchObject({ tries: 1 });
    await refundScript.run(lanes.redis, [namesOf(lanes)[1]], ['other']);
    await refundScript.run(lanes.redis, [namesOf(lanes)[1]], ['a']);
    await refundScript.run(lanes.redis, [namesOf(lanes)[1]], ['a']);
    expect(await next(lanes, '', 'b')).toMatchObject({ tries: 1 });
    expect(await next(lanes, '', 'c')).toMatchObject({ tries: 2 });
  });

  it('of one command does not count for the next', async () => {
    await using lanes = await openLanes();
    await push(lanes, 1);
    await push(lanes, 2);
    await next(lanes, '', 'a');
    await next(lanes, '', 'b');
    expect(await next(lanes, await head(lanes.redis, lanes), 'c')).toMatchObject({ tries: 1 });
  });
});

describe('a position', () => {
  it('grows also when the clock of Redis stands behind the last one', async () => {
    await using lanes = await openLanes();
    const future = 9_000_000_000_000_000;
    await lanes.redis.hset(namesOf(lanes)[1], 'last', String(future));
    expect((await push(lanes, 1)).position).toBe(future + 1);
    expect((await push(lanes, 2)).position).toBe(future + 2);
  });

  it('of a lane whose data were lost stands above the ones before', async () => {
    await using lanes = await openLanes();
    const before = (await push(lanes, 1)).position;
    await lanes.redis.del(...namesOf(lanes));
    expect((await push(lanes, 1)).position).toBeGreaterThan(before);
  });
});

describe('the scripts', () => {
  it('write nothing when one of their keys holds something else', async () => {
    await using lanes = await openLanes();
    for (const index of [1, 2] as const) {
      await lanes.redis.del(...namesOf(lanes));
      await lanes.redis.rpush(namesOf(lanes)[index], 'foreign');
      await expect(push(lanes, 1)).rejects.toMatchObject({ code: 'server/unavailable' });
      expect(await lanes.redis.exists(namesOf(lanes)[0])).toBe(0);
    }
  });

});
