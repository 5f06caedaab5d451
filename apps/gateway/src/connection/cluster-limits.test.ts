import { defaultRateOf, type RealmId, type UserId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services, startTcpProxy, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mutes } from '../limits/mutes.ts';
import { ClusterLimits } from './cluster-limits.ts';
import { TokenBuckets } from './token-buckets.ts';

let redis: Redis;
beforeAll(async () => {
  redis = createRedis({ url: services().redisUrl, name: 'cluster-limits-test', role: 'command' });
  await whenReady(redis);
});
afterAll(() => { redis.disconnect(); });

const realm = uniqueRealm() as RealmId;
const keys = keysOf(realm);
let users = 0;
const newUser = (): UserId => `auth0|${(users += 1)}` as UserId;
const rate = defaultRateOf('combat:start');

/** Buckets that never fill: a pause of the test gives nothing back. */
class StillBuckets extends TokenBuckets {
  override take(...[userId, name, limit]: Parameters<TokenBuckets['take']>): number {
    return super.take(userId, name, limit, 0);
  }
}

/** The limits of one gateway: buckets and mutes of its own. */
function limitsOf(over: { scale?: number; redis?: Redis; connectsPerSecond?: number } = {}) {
  const mutes = new Mutes();
  const scale = over.scale ?? 1;
  const uncounted: string[] = [];
  const limits = new ClusterLimits({ realm, redis, buckets: new StillBuckets(scale), mutes, scale, connectsPerSecond: 1, onUncounted: (event) => uncounted.push(event), ...over });
  return { limits, mutes, uncounted };
}

const refusal = (work: Promise<unknown>): Promise<unknown> => work.then(() => null, (error: unknown) => error);

describe('limits over all gateways', () => {
  it('[LIM1] count together what gateways count apart, and users apart', async () => {
    const [a, b] = [limitsOf(), limitsOf()];
    const [user, other] = [newUser(), newUser()];
    // At one time, because the buckets of Redis fill while the test waits.
    const [first, second, third] = await Promise.all([a, b, a].map(({ limits }) => limits.take(user, 'combat:start', rate)));
    expect([first, second]).toEqual([{ retryAfterMs: 0, mutedMs: 0 }, { retryAfterMs: 0, mutedMs: 0 }]);
    const { retryAfterMs } = third!;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(500);
    expect(await b.limits.take(other, 'combat:start', rate)).toEqual({ retryAfterMs: 0, mutedMs: 0 });
    expect(await b.limits.take(user, 'chat:send', defaultRateOf('chat:send'))).toEqual({ retryAfterMs: 0, mutedMs: 0 });
  });

  it('[RAT1] are multiplied by RATE_LIMIT_SCALE', async () => {
    const { limits } = limitsOf({ scale: 10 });
    const user = newUser();
    const verdicts = await Promise.all(Array.from({ length: 30 }, () => limits.take(user, 'combat:start', rate)));
    const accepted = verdicts.filter(({ retryAfterMs }) => retryAfterMs === 0).length;
    expect(accepted).toBeGreaterThanOrEqual(20);
    expect(accepted).toBeLessThanOrEqual(22);
  });

  it('[LIM1] admit six connects at once where one per second is allowed, wherever they come', async () => {
    const gateways = [limitsOf(), limitsOf(), limitsOf()];
    const user = newUser();
    const outcomes = await Promise.all(Array.from({ length: 9 }, (_, n) => refusal(gateways[n % 3]!.limits.admit(user))));
    expect(outcomes.slice(0, 6)).toEqual(Array.from({ length: 6 }, () => null));
    for (const outcome of outcomes.slice(6)) expect(outcome).toMatchObject({ code: 'rate/limited', retryAfterMs: expect.any(Number) });
    expect((outcomes[6] as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(500);
  });

  it('ask Redis nothing about what this gateway refuses by itself', async () => {
    const { limits } = limitsOf();
    const user = newUser();
    await Promise.all(Array.from({ length: 6 }, () => limits.admit(user)));
    await redis.unlink(keys.limitOf(user, 'connect'));
    expect(await refusal(limits.admit(user))).toMatchObject({ code: 'rate/limited' });
    expect(await redis.exists(keys.limitOf(user, 'connect'))).toBe(0);
  });

  it('[LIM4] carry mutes to events and to connects on other gateways, for as long as they last', async () => {
    const [a, b, c] = [limitsOf(), limitsOf(), limitsOf()];
    const user = newUser();
    await Promise.all([a.limits.mute(user, 'combat', 4_000), a.limits.mute(user, 'party', 3_000)]);
    const verdict = await b.limits.take(user, 'combat:start', rate);
    expect(verdict.retryAfterMs).toBe(0);
    expect(verdict.mutedMs).toBeGreaterThan(0);
    expect(verdict.mutedMs).toBeLessThanOrEqual(4_000);
    expect(b.mutes.leftMs(user, 'combat', Date.now())).toBeGreaterThan(0);
    expect(await b.limits.take(user, 'chat:send', defaultRateOf('chat:send'))).toMatchObject({ mutedMs: 0 });
    await c.limits.admit(user);
    expect(c.mutes.leftMs(user, 'combat', Date.now())).toBeGreaterThan(0);
    expect(c.mutes.leftMs(user, 'chat', Date.now())).toBe(0);
    await eventually(async () => (await redis.exists(keys.mutes(user))) === 0, { timeoutMs: 15_000 });
    expect(await b.limits.take(user, 'combat:start', rate)).toEqual({ retryAfterMs: 0, mutedMs: 0 });
  });

  it('[LIM1] leave nothing in Redis when they are full again', async () => {
    const { limits } = limitsOf();
    const user = newUser();
    // Two of each, so that what is kept is kept for a second: long enough to be seen.
    const twice = [limits.admit(user), limits.take(user, 'combat:start', rate), limits.admit(user), limits.take(user, 'combat:start', rate)];
    await Promise.all([...twice, limits.mute(user, 'chat', 1_000)]);
    const kept = (): Promise<string[]> => redis.keys(`${keys.prefix}*${encodeURIComponent(user)}`);
    expect((await kept()).sort()).toEqual([keys.limitOf(user, 'combat:start'), keys.limitOf(user, 'connect'), keys.mutes(user)].sort());
    await eventually(async () => (await kept()).length === 0, { timeoutMs: 15_000 });
  });

  it('[LIM8] are open for play and closed for admission while Redis is away', async () => {
    await using proxy = await startTcpProxy({ targetPort: Number(new URL(services().redisUrl).port) });
    const away = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'cluster-limits-away', role: 'command' });
    await whenReady(away);
    const { limits, uncounted } = limitsOf({ redis: away });
    const user = newUser();
    const verdicts = await Promise.all(Array.from({ length: 3 }, () => limits.take(user, 'combat:start', rate)));
    expect(verdicts[2]?.retryAfterMs).toBeGreaterThan(0);
    await proxy.close();
    await eventually(() => away.status !== 'ready');
    expect(await limits.take(user, 'combat:start', rate)).toEqual({ retryAfterMs: 0, mutedMs: 0 });
    expect(uncounted).toEqual(['combat:start']);
    expect(await refusal(limits.admit(user))).toMatchObject({ code: 'server/unavailable', retryAfterMs: 2_000 });
    away.disconnect();
  });
});
