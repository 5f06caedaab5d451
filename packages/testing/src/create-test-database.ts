import { randomBytes } from 'node:crypto';

import { Client } from 'pg';

import { createDatabaseNamed, dropDatabaseNamed } from './database-statements.ts';
import { startSharedPostgres } from './services.ts';

/** An empty database on the shared Postgres. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** Removes it, cutting the connections that are left. */
  drop(): Promise<void>;
}

/** Makes an empty database on the shared Postgres; migrations are the caller's. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = await startSharedPostgres();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await withServer(server, (client) => createDatabaseNamed(client, name, 'file_copy'));
  const url = new URL(server);
  url.pathname = `/${name}`;
  const drop = (): Promise<void> => withServer(server, (client) => dropDatabaseNamed(client, name));
  return { url: url.href, drop, [Symbol.asyncDispose]: drop };
}

async function withServer(url: string, use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
