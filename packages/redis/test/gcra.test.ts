import { eventually, services } from '@skirmish/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRedis, defineScript, luaGcra, luaNowUs, type Redis, whenReady } from '../src/index.ts';

let redis: Redis;
beforeAll(async () => {
  redis = createRedis({ url: services().redisUrl, name: 'gcra-test', role: 'command' });
  await whenReady(redis);
});
afterAll(() => { redis.disconnect(); });

/** The clock is the test's; everything else is what gateways run. */
const takeAt = defineScript<readonly [nowUs: number, intervalUs: number, burst: number], number>({
  name: 'gcra-at',
  lua: `${luaGcra} return gcra(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))`,
  reply: Number,
});
/** Many in one script, whose time stands still: a pause between two of them would let the key expire by the clock of the server. */
const takeAllAt = defineScript<readonly [timesUs: string, intervalUs: number, burst: number], number[]>({
  name: 'gcra-all-at',
  lua: `${luaGcra}
local answers = {}
for i, nowUs in ipairs(cjson.decode(ARGV[1])) do answers[i] = gcra(KEYS[1], nowUs, tonumber(ARGV[2]), tonumber(ARGV[3])) end
return answers`,
  reply: (raw) => (raw as unknown[]).map(Number),
});
const takeNow = defineScript<readonly [intervalUs: number, burst: number], number>({
  name: 'gcra-now',
  lua: `${luaGcra}${luaNowUs} return gcra(KEYS[1], nowUs, tonumber(ARGV[1]), tonumber(ARGV[2]))`,
  reply: Number,
});

let keyCount = 0;
const newKey = (): string => `{gcra-test-${process.pid}}:${(keyCount += 1)}`;

/** The same limit as a bucket of tokens, the way the gateways count in memory. */
class Bucket {
  readonly #intervalUs: number;
  readonly #burst: number;
  #tokens: number;
  #atUs: number;

  constructor(intervalUs: number, burst: number, nowUs: number) {
    this.#intervalUs = intervalUs;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atUs = nowUs;
  }

  take(nowUs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowUs - this.#atUs) / this.#intervalUs);
    this.#atUs = nowUs;
    if (this.#tokens > 1 - 1e-9) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) * this.#intervalUs) / 1000 - 1e-6);
  }
}

describe('gcra', () => {
  it('[LIM1] decides like a token bucket, whatever comes when', async () => {
    const pauses = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400_000 })), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 100_000, max: 500_000 }), fc.integer({ min: 1, max: 8 }), pauses, async (intervalUs, burst, gaps) => {
        const key = newKey();
        let nowUs = 1_800_000_000_000_000;
        const bucket = new Bucket(intervalUs, burst, nowUs);
        const times = gaps.map((gap) => (nowUs += gap));
        const answers = await takeAllAt.run(redis, [key], [JSON.stringify(times), intervalUs, burst]);
        await redis.unlink(key);
        expect(answers).toEqual(times.map((atUs) => bucket.take(atUs)));
      }),
      { numRuns: 200 },
    );
  });

  it('[LIM1] keeps the microseconds of the server, so that fast rates are exact', async () => {
    const key = newKey();
    const nowUs = 1_800_000_000_123_457;
    expect(await takeAt.run(redis, [key], [nowUs, 10_000_002, 1])).toBe(0);
    expect(await takeAt.run(redis, [key], [nowUs + 10_000_001, 10_000_002, 1])).toBe(1);
    expect(await redis.get(key)).toBe(String(nowUs + 10_000_002));
    expect(await takeAt.run(redis, [key], [nowUs + 10_000_002, 10_000_002, 1])).toBe(0);
  });

  it('waits no longer than an empty bucket takes, after a clock that went back an hour', async () => {
    const key = newKey();
    const nowUs = 1_800_000_000_000_000;
    for (let taken = 0; taken < 3; taken += 1) await takeAt.run(redis, [key], [nowUs, 1_000_000, 3]);
    expect(await takeAt.run(redis, [key], [nowUs - 3_600_000_000, 1_000_000, 3])).toBe(1_000);
  });

  it('lets everything pass at a rate that is finer than its clock, and does not fail', async () => {
    const nowUs = 1_800_000_000_000_000;
    for (const intervalUs of [0.3, 0.1, 0.001]) {
      const key = newKey();
      for (let taken = 0; taken < 3; taken += 1) expect(await takeAt.run(redis, [key], [nowUs, intervalUs, 1])).toBe(0);
      expect(await redis.pttl(key)).toBeLessThanOrEqual(1);
    }
  });

  it('takes a key with another content for a full bucket', async () => {
    const key = newKey();
    await redis.set(key, 'no number', 'PX', 10_000);
    expect(await takeAt.run(redis, [key], [1_800_000_000_000_000, 1_000, 1])).toBe(0);
  });

  it('[LIM1] leaves no key when the bucket is full again', async () => {
    const key = newKey();
    // The first one alone: the script may have to be loaded.
    expect(await takeNow.run(redis, [key], [200_000, 5])).toBe(0);
    const taking = Array.from({ length: 4 }, () => takeNow.run(redis, [key], [200_000, 5]));
    const left = redis.pttl(key);
    expect(await Promise.all(taking)).toEqual([0, 0, 0, 0]);
    const leftMs = await left;
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(1_000);
    await eventually(async () => (await redis.exists(key)) === 0, { timeoutMs: 15_000 });
  });
});
