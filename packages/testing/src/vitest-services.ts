import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { freePort } from './free-port.ts';
import { startPostgres, type PostgresServer } from './start-postgres.ts';
import { startRedis } from './start-redis.ts';

/**
 * Set-up of a whole vitest run: one Redis at once, and one Postgres when the first test asks for a database, because most runs
 * need none. The test processes find both through environment variables. Returns the teardown.
 */
export async function setup(): Promise<() => Promise<void>> {
  const redis = await startRedis({ args: ['--databases', '1'] });
  const postgresPort = await freePort();
  let starting: Promise<PostgresServer> | null = null;
  const starter = createServer((_request, response) => {
    starting ??= startPostgres({ port: postgresPort, settings: { max_connections: '300' } });
    starting.then(
      (postgres) => response.end(postgres.url),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  const port = await listen(starter);
  process.env['SKIRMISH_TEST_REDIS_URL'] = redis.url;
  process.env['SKIRMISH_TEST_POSTGRES_URL'] = `postgres://postgres@127.0.0.1:${postgresPort}/postgres`;
  process.env['SKIRMISH_TEST_POSTGRES_STARTER'] = `http://127.0.0.1:${port}`;
  return async () => {
    starter.close();
    starter.closeAllConnections();
    await Promise.allSettled([redis.stop(), starting?.then((postgres) => postgres.stop())]);
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}
