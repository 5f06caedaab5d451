import { expect } from 'vitest';
import { createRedis, whenReady } from '@skirmish/redis';
import type { RedisServer } from '@skirmish/testing';
import { eventually, timePasses } from '@skirmish/testing';
import { startCluster } from './_cluster.ts';
import type { Cluster } from './_cluster.ts';
import { BriefPlayer } from './_brief-player.ts';

/** The table of packages/redis/README.md: what one gateway, one combat worker and one moderation worker hold for the realm `main`. */
export const connectionNames = [
  'combat-worker',
  'combat-worker-queue',
  'gateway-main',
  'gateway-main-adapter',
  'gateway-main-adapter-reader',
  'gateway-main-adapter-subscriber',
  'gateway-main-lanes',
  'gateway-main-service',
  'gateway-main-volatile',
  'lanes-chat-main',
  'lanes-combat-main',
  'moderation-worker',
  // BullMQ names its blocking connections itself, after prefix and queue.
  `{main}:q:${Buffer.from('chat').toString('base64')}`,
  `{main}:q:${Buffer.from('combat').toString('base64')}`,
].sort();

/** Names of all connections but the asking one's. */
export async function namesOf(redis: RedisServer): Promise<string[]> {
  const asking = createRedis({ url: redis.url, name: 'asking', role: 'command' });
  await whenReady(asking);
  const list = String(await asking.client('LIST'));
  asking.disconnect();
  return list.split('\n').flatMap((line) => /(?:^| )name=(\S*)/.exec(line)?.slice(1) ?? []).filter((name) => name !== 'asking').sort();
}

export const expectNames = (redis: RedisServer, what: string): Promise<void> =>
  eventually(async () => { expect(await namesOf(redis)).toEqual(connectionNames); }, { timeoutMs: 20_000, what });

export const startOneOfEach = (redis: RedisServer): Promise<Cluster> =>
  startCluster({
    gateways: 1,
    redis,
    env: { RATE_LIMIT_SCALE: '1000', HANDSHAKES_PER_SECOND_MAX: '10000', HANDSHAKES_PER_ADDRESS_PER_SECOND: '10000', SOCKETS_PER_ADDRESS_MAX: '10000', RENEW_INTERVAL_MS: '1000' },
  });

/** Connects `count` players in groups of 20, each for a moment; answers how many were taken. */
export async function connectMany(cluster: Cluster, count: number): Promise<number> {
  const url = cluster.gateways[0]?.url ?? '';
  const tokens = await Promise.all(Array.from({ length: 20 }, (_, index) => cluster.token(`p${index + 1}`)));
  let taken = 0;
  const player = async (token: string): Promise<void> => {
    for (let n = 0; n < count / tokens.length; n += 1) {
      const socket = new BriefPlayer(url, cluster.realm, token);
      if (await socket.settled()) taken += 1;
      await socket.close();
    }
  };
  await Promise.all(tokens.map(player));
  return taken;
}

/** Frozen for longer than any time limit of a connection, then killed and back: afterwards the connections are the same. */
export async function survive(redis: RedisServer, frozenMs: number): Promise<void> {
  redis.pause();
  await timePasses(frozenMs, 'the outage');
  redis.resume();
  await expectNames(redis, 'the same connections after a freeze');
  await redis.kill();
  await timePasses(1_000, 'the outage');
  await redis.restart();
  await expectNames(redis, 'the same connections after a restart');
}
