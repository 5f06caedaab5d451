import { randomBytes } from 'node:crypto';
import { createEmitter, RealtimeService } from '@skirmish/emitter';
import type { RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { startRedis } from '@skirmish/testing';

/**
 * How long the questions of a backend take with 20,000 users registered, and what they cost Redis. Wall time, one question after the other, so a
 * noisy machine shows; CPU of Redis beside it, which does not depend on that.
 */
const questions = process.argv.includes('--short') ? 1_000 : 10_000;
const userCount = 20_000;
const zoneCount = 40;
const realm = 'bench' as RealmId;
const keys = keysOf(realm);
const userOf = (n: number): UserId => `auth0|${(n * 7_919) % userCount}` as UserId;
const zoneOf = (n: number): ZoneId => `zone-${n % zoneCount}` as ZoneId;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** In the form in which gateways write them: two sockets a user, a seat each. */
async function register(redis: Redis): Promise<void> {
  for (let from = 0; from < userCount; from += 1_000) {
    const batch = redis.pipeline();
    for (let n = from; n < from + 1_000; n += 1) {
      const gateway = `gateway-${n % 3}`;
      const [older, newer] = [randomBytes(15).toString('base64url'), randomBytes(15).toString('base64url')];
      const record = JSON.stringify({ v: 1, gateway, connectedAtMs: 1_700_000_000_000 + n, device: 'pc' });
      batch.hset(keys.user(userOf(n)), older, record, newer, record);
      batch.hset(keys.roster(zoneOf(n)), `c${n}`, JSON.stringify({ v: 1, incarnation: gateway, socketId: newer, status: 'online' }));
    }
    await batch.exec();
  }
}

async function cpuSeconds(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const read = (name: string): number => Number(new RegExp(`${name}:([0-9.]+)`).exec(info)?.[1] ?? 0);
  return read('used_cpu_user') + read('used_cpu_sys');
}

async function measure(redis: Redis, name: string, ask: (n: number) => Promise<unknown>): Promise<void> {
  for (let n = 0; n < 200; n += 1) await ask(n);
  const before = await cpuSeconds(redis);
  const times: number[] = [];
  for (let n = 0; n < questions; n += 1) {
    const begun = performance.now();
    await ask(n);
    times.push(performance.now() - begun);
  }
  const cpu = ((await cpuSeconds(redis)) - before) / questions;
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(questions * share)] ?? 0).toFixed(2).padStart(8);
  say(`${name.padEnd(18)}  ${at(0.5)}  ${at(0.99)}  ${at(0.999)}  ${(cpu * 1e6).toFixed(1).padStart(14)}`);
}

await using server = await startRedis({ appendOnly: false });
const redis = createRedis({ url: server.url, name: 'bench', role: 'command', commandTimeoutMs: 30_000 });
await whenReady(redis);
await register(redis);
const service = new RealtimeService(createEmitter({ redis, realm }), redis);
say(`questions with ${userCount} users registered, two sockets each, ${questions} of each kind one after the other; Node ${process.version}`);
say('question              p50 ms    p99 ms  p99.9 ms  Redis CPU µs/q');
await measure(redis, 'isUserOnline', (n) => service.isUserOnline(userOf(n)));
await measure(redis, 'getUserSockets', (n) => service.getUserSockets(userOf(n)));
await measure(redis, 'getZonePopulation', (n) => service.getZonePopulation(zoneOf(n)));
redis.disconnect();
