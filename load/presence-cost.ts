import { fileURLToPath } from 'node:url';
import { signToken } from '@skirmish/auth';
import { createDatabase, migrate, seedDevelopmentWorld } from '@skirmish/database';
import type { RealmId, UserId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, startPostgres, startProcess, startRedis, timePasses } from '@skirmish/testing';

/**
 * What it costs that one member of a large guild comes online or goes: microseconds of Redis in the scripts, messages on Pub/Sub, CPU of the gateway that
 * holds the members who are told, and what these get. The row of the small guild is there to be compared with: Redis must do the same work for both.
 */
const short = process.argv.includes('--short');
const members = short ? 500 : 5_000;
const online = short ? 100 : 1_000;
const changes = short ? 80 : 400;
/** Of a guild; the first of them is told, too. */
const sizes = [20, online];
/** Members who come and go together while it is measured, from the rest of the guild: fewer than a guild is told of in one turn. */
const visitors = 10;
const realm = 'bench' as RealmId;
const secret = 'a secret of the benchmark, at least 32 bytes long';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

await using redisServer = await startRedis({ appendOnly: false });
await using postgres = await startPostgres();
const databaseUrl = await postgres.createDatabase('bench');
await using database = createDatabase({ url: databaseUrl, poolMax: 2, statementTimeoutMs: 30_000 });
await migrate(database, { logger: { info: () => undefined, warn: () => undefined } });
// Odd ones are in the guild. Nobody has a character: the ticks of a zone are another subject, and would cost more than this.
await seedDevelopmentWorld(database, { players: 2 * members });
await database.db.deleteFrom('characters').where('character_id', 'like', 'c%').execute();
const start = () => startProcess({
  name: 'gateway',
  entry: fileURLToPath(new URL('../apps/gateway/src/main.ts', import.meta.url)),
  env: {
    NODE_ENV: 'development', LOG_LEVEL: 'error', REALMS: realm, EPOCH_GRACE_MS: '200', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_HOST: '127.0.0.1',
    INTERNAL_PORT: '0', REDIS_URL: redisServer.url, QUEUE_REDIS_URL: redisServer.url, DATABASE_URL: databaseUrl, JWT_SECRET: secret, PRESENCE_GRACE_MS: '1000',
    HANDSHAKES_PER_ADDRESS_PER_SECOND: '100000', HANDSHAKES_PER_SECOND_MAX: '100000', SOCKETS_PER_ADDRESS_MAX: '100000', EVENT_LOOP_DELAY_MAX_MS: '60000',
  },
});
await using gateway = await start();
await using elsewhere = await start();
const redis = createRedis({ url: redisServer.url, name: 'bench', role: 'command', commandTimeoutMs: 30_000 });
await whenReady(redis);
const keys = keysOf(realm);
let told = 0;

/** A raw client, because a complete one would cost more than what is measured. Resolves to its end when it is welcomed. */
async function enter(userId: string, port: number | undefined): Promise<() => Promise<void>> {
  const { token } = await signToken({ secret, userId, ttlSeconds: 3_600 });
  const socket = new WebSocket(`ws://127.0.0.1:${port ?? 0}/socket.io/?EIO=4&transport=websocket`);
  await new Promise<void>((resolve, reject) => {
    socket.onclose = () => { reject(new Error('closed')); };
    socket.onmessage = ({ data }) => {
      const frame = String(data);
      if (frame.startsWith('0')) socket.send(`40/realm/${realm},${JSON.stringify({ token })}`);
      else if (frame === '2') socket.send('3');
      else if (frame.startsWith('44')) reject(new Error(frame));
      else if (frame.includes('"session:welcome"')) resolve();
      else if (frame.includes('"guild:member-')) told += 1;
    };
  });
  return async () => {
    socket.close();
    await eventually(async () => (await redis.exists(keys.user(userId as UserId))) === 0, { timeoutMs: 30_000 });
  };
}

interface Reading {
  scriptUs: number;
  scripts: number;
  published: number;
  cpuMs: number;
  told: number;
}

async function read(): Promise<Reading> {
  const stats = await redis.info('commandstats');
  const of = (name: string): [calls: number, us: number] => {
    const [, calls = '0', us = '0'] = new RegExp(`cmdstat_${name}:calls=(\\d+),usec=(\\d+)`).exec(stats) ?? [];
    return [Number(calls), Number(us)];
  };
  const [scripts, scriptUs] = of('evalsha');
  const [published] = of('publish');
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.ready.internalPort ?? 0}/metrics`)).text();
  const cpuMs = Number(/process_cpu_seconds_total(?:\{[^}]*\})? ([0-9.e+-]+)/.exec(metrics)?.[1]) * 1e3;
  return { scripts, scriptUs, published, cpuMs, told };
}

const settled = (there: number): Promise<void> =>
  eventually(async () => { if ((await redis.zcard(keys.presenceChanged)) > 0 || (await redis.hlen(keys.presenceAnnounced)) !== there) throw new Error('not yet'); }, { timeoutMs: 60_000, intervalMs: 100, what: 'everybody to be announced' });

/** Members come and go elsewhere, ten at a time; everything that happens meanwhile is counted. */
async function measure(there: number): Promise<void> {
  await settled(there);
  // Those who came to be here are still being told of, 20 in a turn.
  await eventually(async () => {
    const before = told;
    await timePasses(1_000, 'some turns of the gateway');
    return told === before;
  }, { timeoutMs: 120_000, what: 'everybody to have been told' });
  const expected = told + changes * there;
  // Idle gateways renew, and look whether somebody is to be announced: what that costs in the same time is taken off.
  const idle = await cost(async () => { await timePasses(4_000, 'what is counted while nothing happens'); });
  const busy = await cost(async () => {
    for (let n = 0; n < changes / visitors / 2; n += 1) {
      const leave = await Promise.all(Array.from({ length: visitors }, (_, i) => enter(`p${2 * (members - i) - 1}`, elsewhere.ready.publicPort)));
      await settled(there + visitors);
      await Promise.all(leave.map((end) => end()));
      await settled(there);
    }
    await eventually(() => told >= expected, { timeoutMs: 60_000, what: 'everybody to be told' });
  });
  const per = (name: keyof Reading): number => (busy[name] - (idle[name] * busy.ms) / idle.ms) / changes;
  const columns = [per('scripts').toFixed(1), per('scriptUs').toFixed(0), per('published').toFixed(2), per('cpuMs').toFixed(2), (busy.told / changes).toFixed(0)];
  say(`${`${there} online of ${members}`.padEnd(24)}${columns.map((column) => column.padStart(14)).join('')}`);
}

async function cost(what: () => Promise<void>): Promise<Reading & { ms: number }> {
  const [before, startedAt] = [await read(), performance.now()];
  await what();
  const after = await read();
  const difference = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, (value as number) - before[name as keyof Reading]]));
  return { ...(difference as unknown as Reading), ms: performance.now() - startedAt };
}

say(`presence of a guild of ${members}, ${changes} changes; per change: scripts of Redis with the connection or its end, their µs, messages published, CPU of the gateway of those who are told, events`);
say(`${''.padEnd(24)}${['scripts', 'script µs', 'messages', 'gateway ms', 'events'].map((column) => column.padStart(14)).join('')}`);
const there: (() => Promise<void>)[] = [];
for (const size of sizes) {
  while (there.length < size) {
    const batch = Array.from({ length: Math.min(50, size - there.length) }, (_, n) => enter(`p${2 * (there.length + n) + 1}`, gateway.ready.publicPort));
    there.push(...(await Promise.all(batch)));
  }
  await measure(size);
}
redis.disconnect();
