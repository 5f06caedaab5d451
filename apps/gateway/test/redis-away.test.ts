import { eventually, startRedis } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
let redis: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  world = await startWorld();
  redis = await startRedis();
  // The question is asked again and again until the answer is yes.
  gateway = await startGateway(world, { REDIS_URL: redis.url, RATE_LIMIT_SCALE: '100' });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await redis.stop();
  await world[Symbol.asyncDispose]();
});

const channel = { kind: 'zone', id: 'meadow' };
const refusedWith = (answer: { ok: boolean }) => expect(answer).toMatchObject({ ok: false, error: { code: 'server/unavailable', retry: 'later' } });

describe.each([
  ['gone', () => redis.kill(), () => redis.restart()],
  ['frozen', async () => { redis.pause(); }, async () => { redis.resume(); }],
])('while Redis is %s', (what, goAway, comeBack) => {
  it('sockets stay, own answers are quick, commands are refused with a hint, and afterwards they work', async () => {
    await eventually(async () => (await fetch(`${gateway.url}/readyz`)).ok, { timeoutMs: 15_000, what: 'readiness' });
    using client = await join(gateway, 'p1');
    using other = await join(gateway, 'p2');
    await goAway();
    const slow = client.ask('chat:send', { commandId: `before-${what}`, channel, text: 'hello' });
    const tookMs: number[] = [];
    // A machine that stands still for a moment is no fault of Redis that is away: one answer in time is enough.
    for (let seq = 1; seq <= 5 && Math.min(...tookMs) >= 500; seq += 1) {
      const startedAtMs = performance.now();
      expect(await client.ask('session:ping', { atMs: seq })).toMatchObject({ ok: true });
      expect(await client.ask('character:move', { seq, x: 402, y: 400 })).toMatchObject({ ok: true });
      tookMs.push(performance.now() - startedAtMs);
    }
    expect(Math.min(...tookMs)).toBeLessThan(500);
    await other.hears('zone:tick', ({ moved }: { moved: [string, number][] }) => moved.some(([id, x]) => id === 'c1' && x === 402));
    refusedWith(await slow);
    refusedWith(await client.ask('zone:roster', { zoneId: 'meadow' }));
    refusedWith(await client.ask('combat:start', { commandId: `a-${what}`, opponents: ['c2'] }));
    expect([client.socket.connected, other.socket.connected]).toEqual([true, true]);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    await comeBack();
    await eventually(async () => {
      expect(await client.ask('chat:send', { commandId: `before-${what}`, channel, text: 'hello' })).toMatchObject({ ok: true });
    }, { timeoutMs: 20_000 });
    expect(gateway.logs.filter((line) => line.includes('"event-failed"'))).toEqual([]);
  }, 60_000);
});
