import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { signToken } from '@skirmish/auth';
import { createDatabase, migrate } from '@skirmish/database';
import { startPostgres, startProcess, startRedis } from '@skirmish/testing';
import { type Check, looked } from '../check.ts';
import { checkRule, type Edge, edgeRules } from './edge-rules.ts';

const origin = 'https://game.example.com';
const serviceAudience = 'skirmish-service';

/**
 * One gateway, started as production starts it, on a Redis and a Postgres of its own and free ports of the loopback address; everything ends
 * with it.
 */
export async function startEdge(root: string, stop: AbortSignal): Promise<Edge & AsyncDisposable> {
  await using started = new AsyncDisposableStack();
  const redis = started.use(await startRedis());
  stop.throwIfAborted();
  const postgres = started.use(await startPostgres());
  stop.throwIfAborted();
  const databaseUrl = await postgres.createDatabase('audit');
  await using database = createDatabase({ url: databaseUrl, poolMax: 1, statementTimeoutMs: 10_000 });
  await migrate(database);
  const secret = randomBytes(48).toString('base64url');
  const gateway = started.use(await startProcess({
    name: 'gateway',
    entry: join(root, 'apps', 'gateway', 'src', 'main.ts'),
    signal: stop,
    env: {
      NODE_ENV: 'production', LOG_LEVEL: 'error', REALMS: 'main', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_HOST: '127.0.0.1', INTERNAL_PORT: '0',
      SOCKET_CORS_ORIGIN: origin, REDIS_URL: redis.url, QUEUE_REDIS_URL: redis.url, DATABASE_URL: databaseUrl, JWT_SECRET: secret, JWT_SERVICE_AUDIENCE: serviceAudience,
      // The delay of the event loop is the busy machine's.
      EVENT_LOOP_DELAY_MAX_MS: '60000',
    },
  }));
  const { token } = await signToken({ secret, serviceAudience, userId: 'audit', roles: ['service'], ttlSeconds: 300 });
  const at = (port: number | undefined): string => `http://127.0.0.1:${port ?? 0}`;
  const all = started.move();
  return {
    publicUrl: at(gateway.ready.publicPort), internalUrl: at(gateway.ready.internalPort), origin, serviceToken: token,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** What is wrong with the answers of a gateway, and how many were right. */
export async function checkEdge(edge: Edge, stop: AbortSignal): Promise<{ passed: number; findings: string[] }> {
  const complaints: string[][] = [];
  for (const rule of edgeRules) if (!stop.aborted) complaints.push(await checkRule(edge, rule));
  return { passed: complaints.filter(({ length }) => length === 0).length, findings: complaints.flat() };
}

export const headers: Check = {
  name: 'headers',
  question: 'does a gateway in production say no more than it should, to nobody but whom it should?',
  run: async ({ root, stop }) => {
    await using edge = await startEdge(root, stop);
    const { passed, findings } = await checkEdge(edge, stop);
    return looked(`${edgeRules.length} requests to both ports of a gateway in production`, passed, findings);
  },
};
