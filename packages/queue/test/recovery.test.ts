import { createRedis, keysOf } from '@skirmish/redis';
import { eventually, startRedis, startTcpProxy, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { createLaneProducer, readDeadCommands } from '../src/index.ts';
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
    const startedAtMs = Date.now();
    await lanes.work(async (command) => void seen.add(command.key), { sweep: { intervalMs: 1000, batch: 20 } });
    await eventually(() => seen.size === 50, { timeoutMs: 10_000 });
    expect(Date.now() - startedAtMs).toBeLessThan(6000);
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
    await eventually(() => seen.length === 1, { timeoutMs: 3000 });
  });

  it('rings over a deduplication key whose job is gone', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await pushWithoutRing(lanes, 'c1', 1);
    await lanes.redis.set(doorbellKey(lanes, 'c1'), '4711');
    await lanes.work(async (command) => void seen.push(turnOf(command)), { sweep: { intervalMs: 100, quietMs: 200 } });
    await eventually(() => seen.length === 1);
  });

  it('removes a deduplication key whose job will never run, after the time for that and not before', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await pushWithoutRing(lanes, 'c1', 1);
    await lanes.redis.set(doorbellKey(lanes, 'c1'), '4711');
    await lanes.redis.hset(jobKey(lanes, '4711'), 'name', 'doorbell', 'data', '{}', 'opts', '{}', 'timestamp', '1');
    const startedAtMs = Date.now();
    await lanes.work(async (command) => void seen.push(turnOf(command)), { sweep: { intervalMs: 100, quietMs: 200, deadKeyMs: 1500 } });
    await eventually(() => seen.length === 1);
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
    await eventually(async () => (await lanes.redis.zcard(keysOf(lanes.realm).lanes('combat'))) === 0);
    expect(runs).toBe(1);
    expect(lanes.warnings).toEqual([]);
  });
});

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
    await eventually(() => seen.length === 3);
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
    const startedAtMs = Date.now();
    await worker.close(300);
    const tries: number[] = [];
    await lanes.work(async (command) => void tries.push(command.tries));
    await eventually(() => tries.length === 1);
    expect(tries).toEqual([1]);
    expect(Date.now() - startedAtMs).toBeLessThan(2000);
  });
});

describe('Redis', () => {
  it('killed and started again with its file loses nothing that was accepted, and nothing is stepped twice or out of order', async () => {
    await using server = await startRedis({ args: ['--appendfsync', 'always'] });
    await using lanes = await openLanes({ redisUrl: server.url });
    const seen = new Map<string, number[]>();
    await lanes.work(async (command) => {
      const turns = seen.get(command.key) ?? [];
      // The unique id of a step: a repetition has no second effect.
      if (!turns.includes(turnOf(command))) seen.set(command.key, [...turns, turnOf(command)]);
    });
    const accepted = new Map<string, number[]>();
    const refusals: string[] = [];
    let stop = false;
    const pushing = ['a', 'b', 'c', 'd'].map(async (key) => {
      for (let turn = 1; !stop; turn += 1) {
        try {
          await lanes.producer.push({ key, kind: 'combat.act', body: actOf(turn) });
          accepted.set(key, [...(accepted.get(key) ?? []), turn]);
        } catch (error) {
          refusals.push((error as { code?: string }).code ?? String(error));
        }
        await timePasses(5, 'the pace of a player');
      }
    });
    await eventually(() => [...accepted.values()].flat().length >= 100);
    await server.kill();
    await timePasses(1500, 'the outage');
    await server.restart();
    await eventually(async () => {
      await lanes.producer.push({ key: 'probe', kind: 'combat.act', body: actOf(1) });
    });
    const before = [...accepted.values()].flat().length;
    await eventually(() => [...accepted.values()].flat().length >= before + 100);
    stop = true;
    await Promise.all(pushing);
    expect(refusals.filter((code) => code !== 'server/unavailable')).toEqual([]);
    await eventually(async () => (await lanes.redis.zcard(keysOf(lanes.realm).lanes('combat'))) === 0, { timeoutMs: 12_000 });
    for (const [key, turns] of accepted) {
      const got = seen.get(key) ?? [];
      expect(turns.filter((turn) => !got.includes(turn))).toEqual([]);
      expect(got).toEqual([...got].sort((a, b) => a - b));
    }
    expect(await readDeadCommands({ redis: lanes.redis, realm: lanes.realm, queue: 'combat', limit: 10 })).toEqual([]);
  }, 40_000);

  it('away is refused by a producer at once, and served again by itself', async () => {
    await using server = await startRedis();
    await using lanes = await openLanes({ redisUrl: server.url });
    const push = () => lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) });
    await push();
    await server.kill();
    await eventually(() => lanes.redis.status !== 'ready');
    const startedAtMs = Date.now();
    await expect(push()).rejects.toMatchObject({ code: 'server/unavailable' });
    await expect(lanes.producer.pushLater({ key: 'c1', kind: 'combat.timeout', body: actOf(1), delayMs: 1, id: 'x' })).rejects.toMatchObject({
      code: 'server/unavailable',
    });
    expect(Date.now() - startedAtMs).toBeLessThan(100);
    await server.restart();
    await eventually(push);
  });

  it('away while a doorbell is made for the first time does not break the doorbell for ever', async () => {
    await using server = await startRedis();
    const redis = createRedis({ url: server.url, name: 'test', role: 'queue' });
    await server.kill();
    await eventually(() => redis.status !== 'ready');
    const doorbell = createDoorbell({ redis, prefix: '{x}:q', queue: 'combat', logger: silentLogger, metrics: createLaneMetrics(undefined, 'combat') });
    await expect(doorbell.ring('c1')).rejects.toThrow('ready');
    await server.restart();
    await eventually(() => doorbell.ring('c1'));
    await doorbell.close();
    redis.disconnect();
  });

  it('away while a producer starts does not break the producer for ever', async () => {
    await using server = await startRedis();
    const redis = createRedis({ url: server.url, name: 'test', role: 'queue' });
    await server.kill();
    await eventually(() => redis.status !== 'ready');
    await using lanes = await openLanes();
    const producer = createLaneProducer({ redis, realm: lanes.realm, queue: 'combat' });
    const push = () => producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) });
    await expect(push()).rejects.toMatchObject({ code: 'server/unavailable' });
    await server.restart();
    await eventually(push);
    await producer.close();
    redis.disconnect();
  });

  it('behind a network that swallows everything is left and found again', async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy({ targetPort: server.port });
    await using lanes = await openLanes({ redisUrl: server.url });
    const seen: number[] = [];
    await lanes.work(async (command) => void seen.push(turnOf(command)), { redisUrl: `redis://127.0.0.1:${proxy.port}` });
    const push = (turn: number) => lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn) });
    await push(1);
    await eventually(() => seen.length === 1);
    proxy.blackhole();
    await push(2);
    // Nothing resets the connections: only a time limit of our own can find out that nobody is there.
    await eventually(() => lanes.warnings.join().includes('redis connection lost'), { timeoutMs: 20_000 });
    expect(seen).toEqual([1]);
    proxy.heal();
    await eventually(() => seen.length === 2, { timeoutMs: 20_000 });
  }, 40_000);
});
