import { keysOf } from '@skirmish/redis';
import { awakeMsOf, eventually, timePasses } from '@skirmish/testing';
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';

import { createDoorbell } from '../src/doorbell.ts';
import { doorbellIdOf } from '../src/lane-key.ts';
import { silentLogger } from '../src/lane-logger.ts';
import { createLaneMetrics } from '../src/lane-metrics.ts';
import { openRecord } from '../src/lane-record.ts';
import { pushScript } from '../src/lane-scripts.ts';
import { sweepLimits } from '../src/sweeper.ts';
import { Outage, actOf, openLanes, turnOf } from './_lanes.ts';
import type { Lanes } from './_lanes.ts';

/** What a gateway leaves behind that dies between the push and the ring. */
async function pushWithoutRing(lanes: Lanes, key: string, turn: number): Promise<void> {
  const keys = keysOf(lanes.realm);
  const names = [keys.lane('combat', key), keys.laneState('combat', key), keys.lanes('combat')];
  await pushScript.run(lanes.redis, names, [key, openRecord({ kind: 'combat.act', key, body: actOf(turn) }), 200, '', '{}', 1]);
}
const doorbellKey = (lanes: Lanes, key: string): string => `${keysOf(lanes.realm).queuePrefix}:combat:de:${doorbellIdOf(key)}`;
const jobKey = (lanes: Lanes, id: string): string => `${keysOf(lanes.realm).queuePrefix}:combat:${id}`;

describe('the sweeper', () => {
  it('rings for commands whose doorbell was lost, within 5 s, also of many lanes', async () => {
    await using lanes = await openLanes();
    const seen = new Set<string>();
    for (let lane = 0; lane < 50; lane += 1) await pushWithoutRing(lanes, `c${lane}`, 1);
    const tookMs = await awakeMsOf(async () => {
      await lanes.work(async (command) => void seen.add(command.key), { sweep: { intervalMs: 1000, batch: 20 } });
      await eventually(() => seen.size === 50, { timeoutMs: 18_000 });
    });
    expect(tookMs).toBeLessThan(7000);
  });

  it('is not held up by lanes that wait for good reason', async () => {
    await using lanes = await openLanes();
    const seen: string[] = [];
    for (const key of ['ill-1', 'ill-2', 'well']) await pushWithoutRing(lanes, key, 1);
    await lanes.work(
      async (command) => {
        if (command.key !== 'well') throw new Outage('away');
        seen.push(command.key);
      },
      { sweep: { intervalMs: 100, quietMs: 100, batch: 2 } },
    );
    await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
  });

  it('rings over a deduplication key whose job is gone', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await pushWithoutRing(lanes, 'c1', 1);
    await lanes.redis.set(doorbellKey(lanes, 'c1'), '4711');
    await lanes.work(async (command) => void seen.push(turnOf(command)), { sweep: { intervalMs: 100, quietMs: 200 } });
    await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
  });

  it('removes a deduplication key whose job will never run, after the time for that and not before', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await pushWithoutRing(lanes, 'c1', 1);
    await lanes.redis.set(doorbellKey(lanes, 'c1'), '4711');
    await lanes.redis.hset(jobKey(lanes, '4711'), 'name', 'doorbell', 'data', '{}', 'opts', '{}', 'timestamp', '1');
    const startedAtMs = Date.now();
    await lanes.work(async (command) => void seen.push(turnOf(command)), { sweep: { intervalMs: 100, quietMs: 200, deadKeyMs: 1500 } });
    await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
    expect(Date.now() - startedAtMs).toBeGreaterThan(1000);
    expect(lanes.warnings.join()).toContain('dead deduplication key removed');
    expect(sweepLimits.deadKeyMs).toBe(30_000);
  });

  it('removes no key that belongs to the next doorbell by then', async () => {
    await using lanes = await openLanes();
    await lanes.redis.hset(jobKey(lanes, '4711'), 'name', 'doorbell', 'data', '{}', 'opts', '{}', 'timestamp', '1');
    const { queuePrefix } = keysOf(lanes.realm);
    // Between the look at the job and the removal, the key changes hands.
    const changing = new Proxy(lanes.redis, {
      get: (target, name) => {
        if (String(name).startsWith('deleteIfEqual')) target.set(doorbellKey(lanes, 'c1'), '4712').catch(() => undefined);
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const metrics = createLaneMetrics(undefined, 'combat');
    const doorbell = createDoorbell({ redis: changing, prefix: queuePrefix, queue: 'combat', logger: silentLogger, metrics });
    await lanes.redis.set(doorbellKey(lanes, 'c1'), '4711');
    expect(await doorbell.unlock('c1')).toBe(false);
    expect(await lanes.redis.get(doorbellKey(lanes, 'c1'))).toBe('4712');
    await doorbell.close();
  });

  it('leaves a doorbell alone that is alive', async () => {
    await using lanes = await openLanes();
    let runs = 0;
    await lanes.work(
      async () => {
        runs += 1;
        await timePasses(1500, 'a step that outlasts the limits of the sweeper');
      },
      { sweep: { intervalMs: 50, quietMs: 100, deadKeyMs: 200 } },
    );
    await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) });
    await eventually(async () => (await lanes.redis.zcard(keysOf(lanes.realm).lanes('combat'))) === 0, { timeoutMs: 15_000 });
    expect(runs).toBe(1);
    expect(lanes.warnings).toEqual([]);
  });
});

describe('the doorbell', () => {
  it('that cannot be rung does not refuse the push, and is rung when it can be', async () => {
    await using lanes = await openLanes();
    const counter = jobKey(lanes, 'id');
    await lanes.redis.rpush(counter, 'not a number');
    const seen: number[] = [];
    expect((await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) })).repeated).toBe(false);
    expect(lanes.warnings.join()).toContain('the sweeper will');
    await lanes.work(async (command) => void seen.push(turnOf(command)), { sweep: { intervalMs: 50, quietMs: 50 } });
    await eventually(() => lanes.warnings.some((warning) => warning.includes('sweep failed')), { timeoutMs: 15_000 });
    await lanes.redis.del(counter);
    await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
  });

  it('and timers that make no sense are dropped and do not stop the others', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await lanes.work(async (command) => void seen.push(turnOf(command)));
    const queue = new Queue('combat', { connection: lanes.redis, prefix: keysOf(lanes.realm).queuePrefix });
    await queue.add('doorbell', { key: 7 }, { removeOnComplete: true });
    await queue.add('timer', { v: 1, key: 'c1', kind: 'chat.moderate', body: {} }, { removeOnComplete: true });
    await queue.add('timer', null, { removeOnComplete: true });
    await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) });
    await eventually(() => lanes.warnings.filter((warning) => warning.includes('malformed')).length === 3 && seen.length === 1, { timeoutMs: 15_000 });
    await queue.close();
  });
});
