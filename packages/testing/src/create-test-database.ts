import { randomBytes } from 'node:crypto';

import { Client } from 'pg';

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
  await query(server, `create database ${name} strategy file_copy`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const drop = (): Promise<void> => query(server, `drop database if exists ${name} with (force)`);
  return { url: url.href, drop, [Symbol.asyncDispose]: drop };
}

async function query(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end().catch(() => undefined);
  }
}
