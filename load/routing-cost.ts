import { createEmitter } from '@skirmish/emitter';
import type { IncarnationId, RealmId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { startRedis } from '@skirmish/testing';

/**
 * What one emission costs Redis, by the number of gateways that have members of the room: CPU time of the server and commands.
 * CPU seconds and counts, not wall time: they hold on a noisy machine. Payload 250 bytes, critical (one log).
 */
const short = process.argv.includes('--short');
const gatewayCounts = [1, 3, 10, 30, 100];
const emissions = short ? 1000 : 10_000;
const underWay = 50;
const realm = 'bench' as RealmId;
const zone = roomOf.zone('meadow' as ZoneId);
const payload = { text: 'x'.repeat(220) };

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function cpuSeconds(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const read = (name: string): number => Number(new RegExp(`${name}:([0-9.]+)`).exec(info)?.[1] ?? 0);
  return read('used_cpu_user') + read('used_cpu_sys');
}

async function scriptMicroseconds(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

async function measure(redis: Redis, gateways: number): Promise<string> {
  await redis.flushall();
  const keys = keysOf(realm);
  await redis.set(keys.epoch, 'bench 1000');
  for (let n = 0; n < gateways; n += 1) {
    const incarnation = `gateway-${n}` as IncarnationId;
    await redis.hset(keys.gateways, incarnation, '{"v":1,"renewals":0}');
    await redis.xadd(keys.inbox(incarnation), '0-1', 'v', '1', 'type', '0');
    await redis.sadd(keys.room(zone), incarnation);
  }
  const emitter = createEmitter({ redis, realm });
  const emitMany = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += underWay) {
      await Promise.all(Array.from({ length: underWay }, () => emitter.emit({ rooms: [zone] }, 'app:bench', payload)));
    }
  };
  await emitMany(500);
  await redis.config('RESETSTAT');
  const before = await cpuSeconds(redis);
  await emitMany(emissions);
  const cpu = ((await cpuSeconds(redis)) - before) / emissions;
  const script = (await scriptMicroseconds(redis)) / emissions;
  return `${String(gateways).padStart(8)}  ${(cpu * 1e6).toFixed(1).padStart(14)}  ${script.toFixed(1).padStart(14)}  ${Math.round(1 / cpu).toString().padStart(16)}`;
}

await using server = await startRedis({ appendOnly: false });
const redis = createRedis({ url: server.url, name: 'bench', role: 'command', commandTimeoutMs: 30_000 });
await whenReady(redis);
say(`routing script, ${emissions} emissions of 250 B each, ${underWay} under way; Node ${process.version}`);
say('gateways  Redis CPU µs/ev  in script µs/ev  events per CPU-s');
for (const gateways of gatewayCounts) say(await measure(redis, gateways));
redis.disconnect();
