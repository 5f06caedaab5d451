import { eventually, startRedis } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { connectMany, expectNames, startOneOfEach, survive } from '../_redis-connections.ts';

it('the connections to Redis stay the same over 10,000 connects and a long outage', async () => {
  const redis = await startRedis();
  const cluster = await startOneOfEach(redis);
  await expectNames(redis, 'the connections after the start');
  expect(await connectMany(cluster, 10_000)).toBe(10_000);
  await expectNames(redis, 'the same connections after 10,000 connects');
  await survive(redis, 20_000);
  // Connections come back before the gateway has registered anew; until then it is not ready, and says so.
  await eventually(async () => (await fetch(`${cluster.gateways[0]?.url ?? ''}/readyz`)).status === 200, { what: 'the gateway to be ready' });
  expect(await connectMany(cluster, 100)).toBe(100);
  await cluster.stop();
  await redis.stop();
}, 600_000);
