import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { signToken } from '@skirmish/auth';
import { createDatabase, migrate, seedDevelopmentWorld } from '@skirmish/database';
import { type ManagedProcess, startPostgres, startProcess, startRedis } from '@skirmish/testing';

/**
 * What a forwarded request costs against a direct one: CPU of both gateways per POST, and the time a client waits for the answer when
 * one request is under way. Each POST is one event without an answer.
 */
const short = process.argv.includes('--short');
const sessions = 20;
const requestsPerSession = short ? 100 : 500;

const secret = 'a secret of the benchmark, at least 32 bytes long';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

await using redis = await startRedis({ appendOnly: false });
await using postgres = await startPostgres();
const databaseUrl = await postgres.createDatabase('bench');
await using database = createDatabase({ url: databaseUrl, poolMax: 1, statementTimeoutMs: 30_000 });
await migrate(database, { logger: { info: () => undefined, warn: () => undefined } });
await seedDevelopmentWorld(database, { players: sessions });

const start = (): Promise<ManagedProcess> =>
  startProcess({
    name: 'gateway',
    entry: fileURLToPath(new URL('../apps/gateway/src/main.ts', import.meta.url)),
    env: {
      NODE_ENV: 'development', LOG_LEVEL: 'error', REALMS: 'bench', EPOCH_GRACE_MS: '200', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_HOST: '127.0.0.1',
      INTERNAL_PORT: '0', REDIS_URL: redis.url, QUEUE_REDIS_URL: redis.url, DATABASE_URL: databaseUrl, JWT_SECRET: secret,
      FORWARDED_PER_ADDRESS_PER_SECOND: '100000', RATE_LIMIT_SCALE: '1000', EVENT_LOOP_DELAY_MAX_MS: '60000',
    },
  });
await using owner = await start();
await using other = await start();
const agent = new Agent({ keepAlive: true });

/** The answer to one request; anything but 200 is a mistake of the benchmark. */
function ask(process: ManagedProcess, method: string, sid?: string, body?: string): Promise<string> {
  const path = `/socket.io/?EIO=4&transport=polling${sid === undefined ? '' : `&sid=${sid}`}`;
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port: process.ready.publicPort, agent, method, path }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.once('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${response.statusCode ?? 0} ${text}`));
      });
    });
    asking.once('error', reject);
    asking.end(body);
  });
}

async function cpuMs(process: ManagedProcess): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${process.ready.internalPort ?? 0}/metrics`)).text();
  return Number(/process_cpu_seconds_total(?:\{[^}]*\})? ([0-9.e+-]+)/.exec(text)?.[1]) * 1e3;
}

/** A player who has joined by polling; resolves to the session id. */
async function join(number: number): Promise<string> {
  const { sid } = JSON.parse((await ask(owner, 'GET')).slice(1)) as { sid: string };
  const { token } = await signToken({ secret, userId: `p${number}`, ttlSeconds: 3_600 });
  await ask(owner, 'POST', sid, `40/realm/bench,${JSON.stringify({ token })}`);
  for (let heard = ''; !heard.includes('session:welcome');) heard += await ask(owner, 'GET', sid);
  return sid;
}

async function measure(title: string, asked: ManagedProcess): Promise<void> {
  const sids = await Promise.all(Array.from({ length: sessions }, (_none, index) => join(index + 1)));
  const post = (sid: string): Promise<string> => ask(asked, 'POST', sid, '42/realm/bench,["session:ping",{"atMs":1}]');
  for (const sid of sids) for (let count = 0; count < 20; count += 1) await post(sid);
  const times: number[] = [];
  for (let count = 0; count < 100; count += 1) {
    const startedAt = performance.now();
    await post(sids[0] ?? '');
    times.push(performance.now() - startedAt);
  }
  const before = [await cpuMs(owner), await cpuMs(other)] as const;
  await Promise.all(sids.map(async (sid) => {
    for (let count = 0; count < requestsPerSession; count += 1) await post(sid);
  }));
  const requests = sessions * requestsPerSession;
  const [ofOwner, ofOther] = [((await cpuMs(owner)) - before[0]) / requests, ((await cpuMs(other)) - before[1]) / requests];
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  const columns = [(ofOwner * 1e3).toFixed(0), (ofOther * 1e3).toFixed(0), ((ofOwner + ofOther) * 1e3).toFixed(0), median.toFixed(2)];
  say(`${title.padEnd(12)}${columns.map((column) => column.padStart(18)).join('')}`);
}

say(`${sessions * requestsPerSession} POSTs each over ${sessions} sessions; Node ${process.version}`);
say(`${''.padEnd(12)}${['owner µs/request', 'other µs/request', 'sum µs/request', 'median ms'].map((title) => title.padStart(18)).join('')}`);
await measure('direct', owner);
await measure('forwarded', other);
agent.destroy();
