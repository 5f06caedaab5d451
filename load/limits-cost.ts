import { defaultRateOf, type RealmId, Rejection, type UserId } from '@skirmish/protocol';
import { createRedis, type Redis, whenReady } from '@skirmish/redis';
import { startRedis } from '@skirmish/testing';
import { ClusterLimits } from '../apps/gateway/src/connection/cluster-limits.ts';
import { TokenBuckets } from '../apps/gateway/src/connection/token-buckets.ts';
import { Mutes } from '../apps/gateway/src/limits/mutes.ts';

/**
 * What a limit costs: the bucket in memory when it passes and when it refuses, and the call that counts over all gateways. CPU time of this process
 * and of Redis, and the wall time of one call after the other.
 */
const short = process.argv.includes('--short');
const takes = short ? 200_000 : 2_000_000;
const calls = short ? 2_000 : 20_000;
const userCount = 1_000;
const userOf = (n: number): UserId => `auth0|${n % userCount}` as UserId;
const rate = defaultRateOf('chat:send');

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const ownCpuUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

async function redisCpuUs(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const read = (name: string): number => Number(new RegExp(`${name}:([0-9.]+)`).exec(info)?.[1] ?? 0);
  return (read('used_cpu_user') + read('used_cpu_sys')) * 1e6;
}

/** Per call, microseconds of CPU and bytes that were allocated. */
function measureHere(name: string, work: (n: number) => void): void {
  for (let n = 0; n < takes / 10; n += 1) work(n);
  const [cpuBefore, heapBefore] = [ownCpuUs(), process.memoryUsage().heapUsed];
  // Few enough for the young generation, so that no collection takes them away meanwhile.
  for (let n = 0; n < 2_000; n += 1) work(n);
  const bytes = (process.memoryUsage().heapUsed - heapBefore) / 2_000;
  for (let n = 0; n < takes; n += 1) work(n);
  say(`${name.padEnd(34)}  ${((ownCpuUs() - cpuBefore) / takes).toFixed(2).padStart(8)}  ${Math.max(0, bytes).toFixed(0).padStart(8)}`);
}

say(`${takes} takes in memory, ${calls} calls one after the other, ${userCount} users; Node ${process.version}`);
say('in memory                             CPU µs     bytes');
const scaled = new TokenBuckets(1e9);
measureHere('take that passes', (n) => { scaled.take(userOf(n), rate.bucket, rate, n); });
const empty = new TokenBuckets(1e-9);
measureHere('take that refuses', (n) => { empty.take(userOf(n), rate.bucket, rate, 0); });
measureHere('its refusal, as it is thrown', () => new Rejection('rate/limited', { retryAfterMs: 1 }));

await using server = await startRedis({ appendOnly: false });
const redis = createRedis({ url: server.url, name: 'bench', role: 'command', commandTimeoutMs: 30_000 });
await whenReady(redis);
const limits = new ClusterLimits({
  realm: 'bench' as RealmId,
  redis,
  buckets: new TokenBuckets(10_000),
  mutes: new Mutes(),
  scale: 10_000,
  connectsPerSecond: 5,
  onUncounted: () => { throw new Error('a call was not counted'); },
});
say('over all gateways                   p50 µs    p99 µs  gateway CPU µs  Redis CPU µs');
const measureThere = async (name: string, ask: (n: number) => Promise<unknown>): Promise<void> => {
  for (let n = 0; n < 500; n += 1) await ask(n);
  const [own, its] = [ownCpuUs(), await redisCpuUs(redis)];
  const times: number[] = [];
  for (let n = 0; n < calls; n += 1) {
    const begun = performance.now();
    await ask(n);
    times.push((performance.now() - begun) * 1_000);
  }
  const [ownUs, itsUs] = [(ownCpuUs() - own) / calls, ((await redisCpuUs(redis)) - its) / calls];
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(calls * share)] ?? 0).toFixed(0).padStart(8);
  say(`${name.padEnd(32)}  ${at(0.5)}  ${at(0.99)}  ${ownUs.toFixed(0).padStart(14)}  ${itsUs.toFixed(0).padStart(12)}`);
};
await measureThere('one event', (n) => limits.take(userOf(n), 'chat:send', rate));
await measureThere('one connect', (n) => limits.admit(userOf(n)));
redis.disconnect();
