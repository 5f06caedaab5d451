import { awakeMsOf, eventually, startRedis, startTcpProxy, timePasses } from '@skirmish/testing';
import type { RedisServer } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addBreaker, createRedis, RedisSilentError, whenReady } from '../src/index.ts';
import type { RedisSettings } from '../src/index.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await server.stop();
});

const quick = { silentAfterMs: 300, tickMs: 50 };
/** Longer than any server takes that only has to share its processor. */
const patient = { silentAfterMs: 15_000, tickMs: 50 };

async function guarded(options: Parameters<typeof addBreaker>[1] = quick, settings: Partial<RedisSettings> = {}) {
  const changes: string[] = [];
  const redis = createRedis({ url: server.url, name: 'guarded', role: 'command', ...settings });
  await whenReady(redis);
  const breaker = addBreaker(redis, { ...options, onChange: (state) => changes.push(state) });
  return { redis, breaker, changes, [Symbol.dispose]: () => { redis.disconnect(); } };
}

describe('a connection whose server is connected and silent', () => {
  it('gives up what waits, refuses the rest at once, and takes commands again as soon as the server answers', async () => {
    using it = await guarded();
    expect(await it.redis.incr('breaker')).toBe(1);
    server.pause();
    const startedAt = performance.now();
    expect(await awakeMsOf(() => expect(it.redis.incr('breaker')).rejects.toThrow(RedisSilentError))).toBeLessThan(2_500);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(299);
    expect(it.breaker.state).not.toBe('closed');
    const refusedMs = await awakeMsOf(async () => {
      for (let n = 0; n < 100; n += 1) await expect(it.redis.get('breaker')).rejects.toThrow('Redis does not answer');
    });
    expect(refusedMs).toBeLessThan(500);
    expect(it.breaker).toMatchObject({ opened: 1, refused: 101, inFlight: 0 });
    server.resume();
    await eventually(() => it.breaker.state === 'closed', { timeoutMs: 15_000 });
    // The one that was given up had been sent: Redis carried it out when it woke up.
    expect(await it.redis.get('breaker')).toBe('2');
    expect(it.changes).toEqual(['open', 'closed']);
  });

  it('is not suspected while nobody asks anything, nor for a pause that is shorter, be it right after', async () => {
    using it = await guarded({ silentAfterMs: 1_500, tickMs: 50 });
    server.pause();
    await timePasses(1_700, 'a pause in which nobody asks');
    const answer = it.redis.ping();
    await timePasses(300, 'a short pause while somebody waits');
    expect(it.breaker).toMatchObject({ state: 'closed', opened: 0 });
    server.resume();
    expect(await answer).toBe('PONG');
    expect(it.breaker.opened).toBe(0);
  });

  it('is not suspected for a pause of this process', async () => {
    using it = await guarded({ silentAfterMs: 1_000, tickMs: 50 });
    const answer = it.redis.ping();
    const until = performance.now() + 1_500;
    while (performance.now() < until);
    expect(await answer).toBe('PONG');
    expect(it.breaker.opened).toBe(0);
  });

  it('stays open through further silence and closes once the connection is replaced', async () => {
    await using proxy = await startTcpProxy({ targetPort: server.port });
    const redis = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'guarded', role: 'command', socketTimeoutMs: 1_000 });
    await whenReady(redis);
    const breaker = addBreaker(redis, quick);
    proxy.strand();
    await expect(redis.ping()).rejects.toThrow(RedisSilentError);
    await eventually(() => breaker.state === 'closed' && redis.status === 'ready', { timeoutMs: 15_000, what: 'a new connection' });
    await eventually(() => redis.ping(), { timeoutMs: 15_000 });
    redis.disconnect();
  });

  it.each([
    ['TIMEOUT', 'fulfilled'],
    ['ERROR', 'rejected'],
  ] as const)('is heard with each answer while others wait: %s', async (kind, outcome) => {
    using it = await guarded({ silentAfterMs: 1_000, tickMs: 50 });
    using other = await guarded(patient);
    const id = await it.redis.client('ID');
    // Each is taken up when the one before it is answered.
    const answers = Promise.allSettled(Array.from({ length: 10 }, () => it.redis.blpop('nothing', 30)));
    while (it.breaker.inFlight > 0) {
      await timePasses(150, 'the wait for one answer');
      await other.redis.call('CLIENT', 'UNBLOCK', id, kind);
    }
    expect((await answers).map(({ status }) => status)).toEqual(Array(10).fill(outcome));
    expect(it.breaker.opened).toBe(0);
  });

  it('is probed again when a probe was given up', async () => {
    using it = await guarded(quick, { commandTimeoutMs: 500 });
    server.pause();
    await expect(it.redis.ping()).rejects.toThrow(RedisSilentError);
    await timePasses(1_200, 'two probes that nobody answers');
    server.resume();
    await eventually(() => it.breaker.state === 'closed', { timeoutMs: 15_000 });
    expect(it.changes).toEqual(['open', 'closed']);
  });

  it('is not suspected once the connection is lost, whoever waits for an answer of it', async () => {
    await using own = await startRedis();
    using it = await guarded({ silentAfterMs: 1_000, tickMs: 50 }, { url: own.url, commandTimeoutMs: 4_500 });
    own.pause();
    const answer = Promise.allSettled([it.redis.ping()]);
    await own.kill();
    await timePasses(1_700, 'the wait goes on without a connection');
    expect(it.breaker).toMatchObject({ state: 'closed', opened: 0, inFlight: 1 });
    it.redis.disconnect();
    await answer;
  });

  it('refuses more commands than may be under way', async () => {
    using it = await guarded({ ...patient, inFlightMax: 5 });
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => it.redis.ping()));
    expect(outcomes.map(({ status }) => status)).toEqual([...Array(5).fill('fulfilled'), ...Array(3).fill('rejected')]);
    expect(await it.redis.ping()).toBe('PONG');
  });
});

it('F12: a subscriber whose connection is half-open notices, and hears again', async () => {
  await using proxy = await startTcpProxy({ targetPort: server.port });
  const subscriber = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'subscriber', role: 'subscriber', socketTimeoutMs: 1_000 });
  const publisher = createRedis({ url: server.url, name: 'publisher', role: 'command' });
  await whenReady(publisher);
  const heard: string[] = [];
  subscriber.on('message', (_channel: string, text: string) => heard.push(text));
  await subscriber.subscribe('channel');
  proxy.strand();
  await eventually(async () => {
    await publisher.publish('channel', 'text');
    return heard.length > 0;
  }, { timeoutMs: 18_000, what: 'the subscriber to hear again' });
  subscriber.disconnect();
  publisher.disconnect();
});
