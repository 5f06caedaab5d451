import { startRedis } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { connectMany, expectNames, startOneOfEach, survive } from './_redis-connections.ts';

it('gateways and workers hold exactly the named connections, before and after 1,000 connects and through outages of Redis', async () => {
  const redis = await startRedis();
  const cluster = await startOneOfEach(redis);
  await expectNames(redis, 'the connections after the start');
  expect(await connectMany(cluster, 1_000)).toBe(1_000);
  await expectNames(redis, 'the same connections after 1,000 connects');
  await survive(redis, 7_000);
  await cluster.stop();
  await redis.stop();
}, 120_000);
