import type { UserId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, startRedis, uniqueRealm } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { type Client, join, startGateway, startWorld } from './_gateway.ts';
import { announcementsOf, membersHeard } from './_watch-bench.ts';

/** What looks up or writes presence; positions are published by another command of the same name. */
const counted = ['hget', 'hgetall', 'hset', 'hdel', 'zadd', 'zrem', 'zrangebyscore', 'hkeys', 'hscan', 'smembers'];

async function commandsOf(redis: Redis): Promise<Record<string, number>> {
  const stats = await redis.info('commandstats');
  return Object.fromEntries(counted.map((name) => [name, Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)]));
}

it('[GLD1] the work of Redis for one member who comes does not grow with the guild, and it is one message', async () => {
  await using server = await startRedis({ appendOnly: false });
  await using world = await startWorld(140);
  const realm = uniqueRealm();
  // Renewals and looks at parties would be counted, too.
  await using gateway = await startGateway(world, { REALMS: realm, REDIS_URL: server.url, QUEUE_REDIS_URL: server.url, PRESENCE_GRACE_MS: '0', RENEW_INTERVAL_MS: '60000', PARTY_SWEEP_MS: '60000', RATE_LIMIT_SCALE: '1000' });
  const redis = createRedis({ url: server.url, name: 'counting', role: 'command' });
  await using _redis = { [Symbol.asyncDispose]: async () => { redis.disconnect(); } };
  await whenReady(redis);
  const keys = keysOf(realm as never);
  using overheard = await announcementsOf(server.url, keys);
  const { presence } = gateway.gateway.realms[0]!;
  presence.stop();
  const members: Client[] = [];

  /** One member comes and is announced in one turn, while so many others are there. */
  async function comes(others: number, userId: string): Promise<Record<string, number>> {
    while (members.length < others) members.push(await join(gateway, `p${2 * members.length + 1}`));
    await eventually(async () => {
      await presence.runTurn();
      expect([await redis.zcard(keys.presenceChanged), presence.size.announcements]).toEqual([0, 0]);
    });
    const visitor = await join(gateway, userId);
    const [before, messages, heard] = [await commandsOf(redis), overheard.messages(), members.map((member) => membersHeard(member).length)];
    await presence.runTurn();
    const after = await commandsOf(redis);
    await eventually(async () => {
      await presence.runTurn();
      expect(members.map((member, n) => membersHeard(member).slice(heard[n]))).toEqual(members.map(() => [`+${userId}`]));
    });
    expect(overheard.messages()).toBe(messages + 1);
    visitor[Symbol.dispose]();
    await eventually(async () => { expect(await redis.exists(keys.user(userId as UserId))).toBe(0); }, { timeoutMs: 10_000 });
    return Object.fromEntries(counted.map((name) => [name, after[name]! - before[name]!]));
  }

  /** Of three who come one after the other: what a gateway does by itself in one of their moments is no part of it. */
  async function least(others: number, ...userIds: readonly string[]): Promise<Record<string, number>> {
    const costs: Record<string, number>[] = [];
    for (const userId of userIds) costs.push(await comes(others, userId));
    return Object.fromEntries(counted.map((name) => [name, Math.min(...costs.map((cost) => cost[name]!))]));
  }

  const small = await least(3, 'p129', 'p131', 'p133');
  const large = await least(60, 'p135', 'p137', 'p139');
  process.stderr.write(`Redis for one member who comes: ${JSON.stringify(small)}\n`);
  expect(small['zrem']).toBe(1);
  expect(large).toEqual(small);
  for (const client of members) client[Symbol.dispose]();
}, 90_000);
