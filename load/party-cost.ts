import type { PartyId, RealmId, UserId } from '@skirmish/protocol';
import { namespaceOf, roomOf } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { startRedis } from '@skirmish/testing';
import { type PartyOperation, partyScript } from '../apps/gateway/src/party/party-script.ts';
import type { PartyArguments } from '../apps/gateway/src/party/party-state.ts';
import { sweepScript } from '../apps/gateway/src/party/sweep-script.ts';

/**
 * What the changes of a party cost Redis: microseconds inside the scripts per change, as the server counts them, in a party of eight on three gateways.
 * The routing script under the same conditions stands beside it in `routing-cost.ts`.
 */
const rounds = process.argv.includes('--short') ? 200 : 2_000;
const realm = 'bench' as RealmId;
const keys = keysOf(realm);
const users = Array.from({ length: 8 }, (_, n) => `user-${n}` as UserId);
const settings = JSON.stringify({ membersMax: 8, invitationsMax: 16, invitationMs: 60_000, graceMs: 5_000, windowMs: 120_000, lookMs: 30_000 });
const shared: [...PartyArguments] = [keys.prefix, namespaceOf(realm), '', 0, 60_000, 155_000, settings];
let commands = 0;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function run(redis: Redis, operation: PartyOperation): Promise<string> {
  const key = keys.command(operation.userId, operation.op, `c${(commands += 1)}`);
  const reply = await partyScript.run(redis, [keys.clock, key], [...shared, JSON.stringify(operation), 'hash', 600_000]);
  if (reply.outcome !== 'done') throw new Error(`${operation.op}: ${JSON.stringify(reply)}`);
  return reply.answer;
}

async function scriptMicroseconds(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

async function measured(redis: Redis, name: string, change: (round: number) => Promise<unknown>): Promise<void> {
  await redis.config('RESETSTAT');
  for (let round = 0; round < rounds; round += 1) await change(round);
  say(`${name.padEnd(44)}${((await scriptMicroseconds(redis)) / rounds).toFixed(1).padStart(8)}`);
}

async function prepare(redis: Redis): Promise<PartyId> {
  await redis.set(keys.epoch, 'bench 1000');
  for (let n = 0; n < 3; n += 1) {
    await redis.hset(keys.gateways, `gateway-${n}`, '{"v":1,"renewals":0}');
    await redis.xadd(keys.inbox(`gateway-${n}` as never), '0-1', 'v', '1', 'type', '0');
  }
  for (const [n, userId] of users.entries()) {
    await redis.sadd(keys.room(roomOf.user(userId)), `gateway-${n % 3}`);
    await redis.hset(keys.user(userId), 'socket', '{}');
  }
  const [leader = '' as UserId, ...others] = users;
  const partyId = 'pt_bench' as PartyId;
  await run(redis, { op: 'create', userId: leader, name: 'Leader', partyId });
  for (const target of others) {
    await run(redis, { op: 'invite', userId: leader, name: 'Leader', target });
    await run(redis, { op: 'accept', userId: target, name: 'Member', partyId });
  }
  return partyId;
}

await using server = await startRedis({ appendOnly: false });
const redis = createRedis({ url: server.url, name: 'bench', role: 'command', commandTimeoutMs: 30_000 });
await whenReady(redis);
const partyId = await prepare(redis);
const [first = '' as UserId, second = '' as UserId] = users;
const last = users.at(-1) ?? first;
say(`party scripts, ${rounds} rounds, 8 members on 3 gateways; Node ${process.version}`);
say(`${'change'.padEnd(44)}${'µs'.padStart(8)}`);
await measured(redis, 'promote (1 broadcast)', (round) => run(redis, { op: 'promote', userId: round % 2 === 0 ? first : second, target: round % 2 === 0 ? second : first }));
await measured(redis, 'leave, invite, accept (5 emissions)', async () => {
  await run(redis, { op: 'leave', userId: last });
  await run(redis, { op: 'invite', userId: first, name: 'Leader', target: last });
  await run(redis, { op: 'accept', userId: last, name: 'Member', partyId });
});
await measured(redis, 'look at a party in which nothing happened', () => sweepScript.run(redis, [keys.clock], [...shared, partyId, 50]));
await measured(redis, 'look at all parties, none is due', () => sweepScript.run(redis, [keys.clock], [...shared, '', 50]));
redis.disconnect();
