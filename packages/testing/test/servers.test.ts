import { Redis } from 'ioredis';
import { Client, type QueryResult } from 'pg';
import { expect, it } from 'vitest';

import { createTestDatabase, eventually, services, startPostgres, startRedis } from '../src/index.ts';

it('a Redis that was killed comes back with its data on its port, and empty when asked', async () => {
  await using redis = await startRedis();
  const client = new Redis(redis.url, { retryStrategy: () => 20 });
  client.on('error', () => undefined);
  await client.set('a', '1');
  await redis.kill();
  await redis.restart();
  expect(await client.get('a')).toBe('1');
  await redis.restart({ empty: true });
  expect(await client.get('a')).toBeNull();
  redis.pause();
  await expect(Promise.race([client.get('a'), new Promise((_r, reject) => setTimeout(reject, 200, 'late'))])).rejects.toBe('late');
  redis.resume();
  await eventually(() => client.ping());
  client.disconnect();
}, 60_000);

it('a Postgres that was killed starts again with its data on its port', async () => {
  await using postgres = await startPostgres();
  const url = await postgres.createDatabase('world');
  await connected(url, (client) => client.query('create table seen (id int); insert into seen values (7)'));
  await postgres.kill();
  await postgres.restart();
  expect(await connected(url, (client) => client.query('select id from seen'))).toEqual([{ id: 7 }]);
}, 60_000);

it('test databases on the shared Postgres are empty, apart and removable', async () => {
  await using one = await createTestDatabase();
  await using two = await createTestDatabase();
  await connected(one.url, (client) => client.query('create table seen (id int)'));
  expect(await connected(two.url, (client) => client.query(`select count(*)::int as n from information_schema.tables where table_name = 'seen'`))).toEqual([{ n: 0 }]);
  await one.drop();
  await expect(connected(one.url, (client) => client.query('select 1'))).rejects.toThrow(/does not exist/);
  expect(services().redisUrl).toMatch(/^redis:/);
}, 60_000);

async function connected(url: string, ask: (client: Client) => Promise<QueryResult>): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows }: { rows: unknown[] } = await ask(client);
    return rows;
  } finally {
    await client.end();
  }
}
