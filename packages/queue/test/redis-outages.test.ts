import { createRedis, keysOf } from '@skirmish/redis';
import { awakeMsOf, eventually, startRedis, startTcpProxy, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { createLaneProducer, readDeadCommands } from '../src/index.ts';
import { createDoorbell } from '../src/doorbell.ts';
import { silentLogger } from '../src/lane-logger.ts';
import { createLaneMetrics } from '../src/lane-metrics.ts';
import { actOf, openLanes, turnOf } from './_lanes.ts';

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
    await eventually(() => [...accepted.values()].flat().length >= 100, { timeoutMs: 20_000 });
    await server.kill();
    await timePasses(1500, 'the outage');
    await server.restart();
    await eventually(async () => {
      await lanes.producer.push({ key: 'probe', kind: 'combat.act', body: actOf(1) });
    }, { timeoutMs: 20_000 });
    const before = [...accepted.values()].flat().length;
    await eventually(() => [...accepted.values()].flat().length >= before + 100, { timeoutMs: 20_000 });
    stop = true;
    await Promise.all(pushing);
    expect(refusals.filter((code) => code !== 'server/unavailable')).toEqual([]);
    await eventually(async () => (await lanes.redis.zcard(keysOf(lanes.realm).lanes('combat'))) === 0, { timeoutMs: 20_000 });
    for (const [key, turns] of accepted) {
      const got = seen.get(key) ?? [];
      expect(turns.filter((turn) => !got.includes(turn))).toEqual([]);
      expect(got).toEqual([...got].sort((a, b) => a - b));
    }
    expect(await readDeadCommands({ redis: lanes.redis, realm: lanes.realm, queue: 'combat', limit: 10 })).toEqual([]);
  }, 90_000);

  it('away is refused by a producer at once, and served again by itself', async () => {
    await using server = await startRedis();
    await using lanes = await openLanes({ redisUrl: server.url });
    const push = () => lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) });
    await push();
    await server.kill();
    await eventually(() => lanes.redis.status !== 'ready');
    const pushLater = () => lanes.producer.pushLater({ key: 'c1', kind: 'combat.timeout', body: actOf(1), delayMs: 1, id: 'x' });
    const refused = await awakeMsOf(async () => {
      for (const work of [push, pushLater]) await expect(work()).rejects.toMatchObject({ code: 'server/unavailable' });
    });
    expect(refused).toBeLessThan(100);
    await server.restart();
    await eventually(push, { timeoutMs: 15_000 });
  });

  it('away while a doorbell is made for the first time does not break the doorbell for ever', async () => {
    await using server = await startRedis();
    const redis = createRedis({ url: server.url, name: 'test', role: 'queue' });
    await server.kill();
    await eventually(() => redis.status !== 'ready');
    const doorbell = createDoorbell({ redis, prefix: '{x}:q', queue: 'combat', logger: silentLogger, metrics: createLaneMetrics(undefined, 'combat') });
    await expect(doorbell.ring('c1')).rejects.toThrow('ready');
    await server.restart();
    await eventually(() => doorbell.ring('c1'), { timeoutMs: 15_000 });
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
    await eventually(push, { timeoutMs: 15_000 });
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
    await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
    proxy.blackhole();
    await push(2);
    // Nothing resets the connections: only a time limit of our own can find out that nobody is there.
    await eventually(() => lanes.warnings.join().includes('redis connection lost'), { timeoutMs: 40_000 });
    expect(seen).toEqual([1]);
    proxy.heal();
    await eventually(() => seen.length === 2, { timeoutMs: 30_000 });
  }, 100_000);
});
