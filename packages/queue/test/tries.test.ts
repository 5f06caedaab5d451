import { keysOf } from '@skirmish/redis';
import { awakeMsOf, eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { readDeadCommands } from '../src/index.ts';
import { Outage, actOf, openLanes, turnOf } from './_lanes.ts';
import type { Lanes } from './_lanes.ts';

const pushTurns = async (lanes: Lanes, ...turns: number[]): Promise<void> => {
  for (const turn of turns) await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn) });
};
const deadOf = (lanes: Lanes) => readDeadCommands({ redis: lanes.redis, realm: lanes.realm, queue: 'combat', limit: 10 });

describe('a poison command', () => {
  it('goes to the dead list after 3 tries, and its lane and the others go on', async () => {
    await using lanes = await openLanes();
    const runs: string[] = [];
    const told: string[] = [];
    const worker = await lanes.work(
      async (command) => {
        runs.push(`${command.key}/${turnOf(command)}/${command.tries}`);
        if (turnOf(command) === 2) throw new Error('division by zero');
      },
      { onDead: async (command, error) => void told.push(`${turnOf(command)}: ${error.message}`) },
    );
    await pushTurns(lanes, 1, 2, 3);
    await lanes.producer.push({ key: 'other', kind: 'combat.act', body: actOf(1) });
    await eventually(() => runs.includes('c1/3/1') && runs.includes('other/1/1'), { timeoutMs: 15_000 });
    expect(runs.filter((run) => run.startsWith('c1'))).toEqual(['c1/1/1', 'c1/2/1', 'c1/2/2', 'c1/2/3', 'c1/3/1']);
    expect(runs).toContain('other/1/1');
    const [dead, ...more] = await deadOf(lanes);
    expect(more).toEqual([]);
    expect(dead).toMatchObject({ key: 'c1', tries: 3, reason: 'rule-error', error: 'Error: division by zero' });
    expect(JSON.parse(dead?.record ?? '')).toMatchObject({ kind: 'combat.act', body: { turn: 2 } });
    expect(told).toEqual(['2: division by zero']);
    expect(worker.stats()).toMatchObject({ stepped: 3, dead: 1 });
  });

  it('goes there also when telling about it fails', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await lanes.work(
      async (command) => {
        if (turnOf(command) === 1) throw new Error('poison');
        seen.push(turnOf(command));
      },
      {
        onDead: async () => {
          throw new Error('nobody listens');
        },
      },
    );
    await pushTurns(lanes, 1, 2);
    await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
    expect(await deadOf(lanes)).toHaveLength(1);
    expect(lanes.warnings.join()).toContain('nobody was told');
  });

  it('waits while telling about it takes too long: a dead Redis looks like that, and whoever gave the command has to hear of it', async () => {
    await using lanes = await openLanes();
    let asked = 0;
    const deadWhenTold: number[] = [];
    await lanes.work(
      async () => {
        throw new Error('poison');
      },
      {
        onDead: async () => {
          asked += 1;
          if (asked === 1) return new Promise(() => undefined);
          deadWhenTold.push((await deadOf(lanes)).length);
        },
      },
    );
    await pushTurns(lanes, 1);
    await eventually(async () => (await deadOf(lanes)).length === 1, { timeoutMs: 20_000 });
    expect(deadWhenTold).toEqual([0]);
    expect(lanes.warnings.join()).not.toContain('nobody was told');
  });

  it('that cannot be read is given up after 3 tries, and what cannot be read does not reach the log', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    const keys = keysOf(lanes.realm);
    await lanes.redis.rpush(keys.lane('combat', 'c1'), 'secret{"v":1');
    await lanes.redis.rpush(keys.lane('combat', 'c1'), JSON.stringify({ v: 7, kind: 'combat.act' }));
    await pushTurns(lanes, 3);
    await lanes.work(async (command) => void seen.push(turnOf(command)));
    await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
    expect((await deadOf(lanes)).map((dead) => dead.reason)).toEqual(['unreadable', 'unreadable']);
    expect(lanes.warnings.join()).not.toContain('secret');
  });
});

describe('an infrastructure error', () => {
  it('never counts: the command waits at its head and comes again with the same try', async () => {
    await using lanes = await openLanes();
    const tries: number[] = [];
    const seen: number[] = [];
    await lanes.work(async (command) => {
      if (turnOf(command) === 1 && tries.push(command.tries) <= 5) throw new Outage('postgres is away');
      seen.push(turnOf(command));
    });
    await pushTurns(lanes, 1, 2);
    await eventually(() => seen.length === 2, { timeoutMs: 18_000 });
    expect(seen).toEqual([1, 2]);
    expect(tries).toEqual([1, 1, 1, 1, 1, 1]);
    expect(await deadOf(lanes)).toEqual([]);
  });

  it('of one lane holds no place of the worker while it waits', async () => {
    await using lanes = await openLanes();
    let away = true;
    const seen: string[] = [];
    await lanes.work(
      async (command) => {
        if (command.key !== 'well' && away) throw new Outage('away');
        seen.push(command.key);
      },
      { concurrency: 1 },
    );
    const ill = Array.from({ length: 100 }, (_, index) => `ill-${index}`);
    for (const key of ill) await lanes.producer.push({ key, kind: 'combat.act', body: actOf(1) });
    await lanes.producer.push({ key: 'well', kind: 'combat.act', body: actOf(1) });
    // One place that waited 100 ms for each of them would take 10 s.
    expect(await awakeMsOf(() => eventually(() => seen.includes('well'), { timeoutMs: 20_000 }))).toBeLessThan(5_000);
    away = false;
    await eventually(() => seen.length === 101, { timeoutMs: 20_000 });
  }, 60_000);

  it('between two tries of a poison command does not save it', async () => {
    await using lanes = await openLanes();
    let runs = 0;
    await lanes.work(async () => {
      runs += 1;
      throw runs === 2 ? new Outage('away') : new Error('poison');
    });
    await pushTurns(lanes, 1);
    await eventually(async () => (await deadOf(lanes)).length === 1, { timeoutMs: 15_000 });
    expect(runs).toBe(4);
  });
});
