import { fileURLToPath } from 'node:url';
import { signToken } from '@skirmish/auth';
import { createDatabase, migrate, seedDevelopmentWorld } from '@skirmish/database';
import { createEmitter } from '@skirmish/emitter';
import { roomOf, type CombatId, type RealmId, type UserId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, startPostgres, startProcess, startRedis } from '@skirmish/testing';

/**
 * What one resume costs: CPU of the gateway and of Redis, bytes out of Redis, and how many one gateway takes. Each session has missed
 * one event and leaves again at once, so that the zone, whose ticks would cost more than the resumes, stays almost empty. The clients share
 * the machine, so wall time says less than CPU.
 */
const short = process.argv.includes('--short');
const sessions = short ? 100 : 400;
const rounds = short ? 1 : 3;
const unrelated = 10_000;
const realm = 'bench' as RealmId;
const secret = 'a secret of the benchmark, at least 32 bytes long';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** A raw client: Engine.IO and Socket.IO by hand, because a complete client would cost more than what is measured. */
class Client {
  readonly #token: string;
  #pid: string | undefined;
  #offset: string | undefined;
  #socket: WebSocket | null = null;
  recovered = false;

  constructor(token: string) {
    this.#token = token;
  }

  /** Resolves when the welcome is there and, on a resume, the event that was missed. */
  connect(url: string): Promise<void> {
    const auth = { token: this.#token, ...(this.#pid === undefined ? {} : { pid: this.#pid, offset: this.#offset }) };
    const resumes = this.#pid !== undefined;
    const socket = new WebSocket(`${url}/socket.io/?EIO=4&transport=websocket`);
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      socket.onclose = () => { reject(new Error('closed')); };
      socket.onmessage = ({ data }) => {
        const frame = String(data);
        if (frame.startsWith('0')) socket.send(`40/realm/${realm},${JSON.stringify(auth)}`);
        else if (frame === '2') socket.send('3');
        else if (frame.startsWith('40')) this.#pid = (JSON.parse(frame.slice(frame.indexOf(',') + 1)) as { pid: string }).pid;
        else if (frame.startsWith('44')) reject(new Error(frame));
        else this.#take(this.#hear(frame), resumes, resolve, reject);
      };
    });
  }

  async close(): Promise<void> {
    this.#socket?.close();
    await eventually(() => this.#socket?.readyState === WebSocket.CLOSED);
  }

  #take(event: string, resumes: boolean, resolve: () => void, reject: (error: Error) => void): void {
    if (event === 'session:reload') reject(new Error('the session was not resumed'));
    else if (event === (resumes ? 'app:bench' : 'session:welcome')) resolve();
  }

  #hear(frame: string): string {
    if (!frame.startsWith('42')) return '';
    const [event, payload, position] = JSON.parse(frame.slice(frame.indexOf(',') + 1)) as [string, { recovered?: boolean }, string?];
    if (position !== undefined) this.#offset = position;
    if (event === 'session:welcome') this.recovered = payload.recovered === true;
    return event;
  }
}

await using redisServer = await startRedis({ appendOnly: false });
await using postgres = await startPostgres();
const databaseUrl = await postgres.createDatabase('bench');
await using database = createDatabase({ url: databaseUrl, poolMax: 2, statementTimeoutMs: 30_000 });
await migrate(database, { logger: { info: () => undefined, warn: () => undefined } });
await seedDevelopmentWorld(database, { players: sessions });
await using gateway = await startProcess({
  name: 'gateway',
  entry: fileURLToPath(new URL('../apps/gateway/src/main.ts', import.meta.url)),
  env: {
    NODE_ENV: 'development', LOG_LEVEL: 'error', REALMS: realm, EPOCH_GRACE_MS: '200', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_HOST: '127.0.0.1',
    INTERNAL_PORT: '0', REDIS_URL: redisServer.url, QUEUE_REDIS_URL: redisServer.url, DATABASE_URL: databaseUrl, JWT_SECRET: secret, DATABASE_POOL_MAX: '10',
    RATE_LIMIT_SCALE: '1000', HANDSHAKES_PER_ADDRESS_PER_SECOND: '100000', HANDSHAKES_PER_SECOND_MAX: '100000', SOCKETS_PER_ADDRESS_MAX: '100000', EVENT_LOOP_DELAY_MAX_MS: '60000',
  },
});
const url = `ws://127.0.0.1:${gateway.ready.publicPort ?? 0}`;
const redis = createRedis({ url: redisServer.url, name: 'bench', role: 'command', commandTimeoutMs: 30_000 });
await whenReady(redis);
const emitter = createEmitter({ redis, realm, epochGraceMs: 200 });

interface Reading {
  gatewayCpuMs: number;
  redisCpuMs: number;
  redisBytes: number;
}

async function read(): Promise<Reading> {
  const info = await redis.info('all');
  const value = (name: string): number => Number(new RegExp(`${name}:([0-9.]+)`).exec(info)?.[1] ?? 0);
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.ready.internalPort ?? 0}/metrics`)).text();
  const gatewayCpuMs = Number(/process_cpu_seconds_total(?:\{[^}]*\})? ([0-9.e+-]+)/.exec(metrics)?.[1]) * 1e3;
  return { gatewayCpuMs, redisCpuMs: (value('used_cpu_user') + value('used_cpu_sys')) * 1e3, redisBytes: value('total_net_output_bytes') };
}

const userIds = Array.from({ length: sessions }, (_, n) => `p${n + 1}`);
const clients = await Promise.all(userIds.map(async (userId) => new Client((await signToken({ secret, userId, ttlSeconds: 3_600 })).token)));

/** Everybody misses one event and resumes, `underWay` at a time; resolves to the milliseconds that took. */
async function resumeAll(some: readonly Client[], underWay: number): Promise<number> {
  for (const client of some) await client.close();
  await eventually(async () => (await Promise.all(userIds.slice(0, some.length).map((userId) => redis.exists(keysOf(realm).user(userId as UserId))))).every((there) => there === 0), { timeoutMs: 30_000 });
  for (const userId of userIds.slice(0, some.length)) await emitter.emit({ rooms: [roomOf.user(userId as UserId)] }, 'app:bench', { text: 'x'.repeat(200) });
  const waiting = [...some];
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: underWay }, async () => {
    for (let client = waiting.pop(); client; client = waiting.pop()) {
      await client.connect(url);
      void client.close();
    }
  }));
  if (!some.every(({ recovered }) => recovered)) throw new Error('not every session was resumed');
  return performance.now() - startedAt;
}

async function measure(title: string, underWay: number, some: readonly Client[]): Promise<void> {
  const before = await read();
  let wallMs = 0;
  for (let round = 0; round < rounds; round += 1) wallMs += await resumeAll(some, underWay);
  const after = await read();
  const count = rounds * some.length;
  const per = (name: keyof Reading): number => (after[name] - before[name]) / count;
  const gatewayMs = per('gatewayCpuMs');
  const columns = [`${Math.round(wallMs / rounds)}`, `${Math.round((count / wallMs) * 1e3)}`, gatewayMs.toFixed(2), per('redisCpuMs').toFixed(2), `${Math.round(per('redisBytes'))}`, `${Math.round(1e3 / gatewayMs)}`];
  say(`${title.padEnd(34)}${columns.map((column) => column.padStart(12)).join('')}`);
}

say(`resume, ${sessions} sessions, ${rounds} rounds; per resume CPU of gateway and Redis (with the end of the connection) and bytes out of Redis; Node ${process.version}`);
say(`${''.padEnd(34)}${['wall ms', 'per s', 'gateway ms', 'Redis ms', 'Redis B', 'per CPU-s'].map((column) => column.padStart(12)).join('')}`);
for (const client of clients) await client.connect(url);
await resumeAll(clients, 50);
await measure('50 at once', 50, clients.slice(0, 50));
await measure('50 under way', 50, clients);
for (let sent = 0; sent < unrelated; sent += 100) {
  await Promise.all(Array.from({ length: 100 }, (_, n) => emitter.emit({ rooms: [roomOf.combat(`unrelated-${n}` as CombatId)] }, 'app:bench', { text: 'x'.repeat(200) })));
}
await measure(`50 under way, ${unrelated} foreign entries`, 50, clients);
for (const client of clients) await client.close();
redis.disconnect();
