import { awakeMsOf, eventually, startPostgres, startTcpProxy, type PostgresServer } from '@skirmish/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, isInfrastructureError, toRejection, type Database } from '../src/index.ts';

let server: PostgresServer;
let admin: Database;
beforeAll(async () => {
  server = await startPostgres({ settings: { max_connections: '12' } });
  admin = createDatabase({ url: server.url, poolMax: 1, applicationName: 'admin' });
});
afterAll(async () => {
  await admin.close();
  await server.stop();
});

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
const answers = ({ db }: Database): Promise<unknown> => sql`select 1`.execute(db);
const terminate = async (applicationName: string): Promise<void> => {
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${applicationName}`.execute(admin.db);
};
/** Fails as infrastructure, within the time. */
const failsSoon = async (work: Promise<unknown>, withinMs: number): Promise<void> => {
  const failed = failureOf(work);
  const tookMs = await awakeMsOf(() => failed);
  const error = await failed;
  expect(isInfrastructureError(error), String(error)).toBe(true);
  expect(['server/unavailable', 'server/busy']).toContain(toRejection(error).code);
  expect(tookMs).toBeLessThan(withinMs);
};

describe('a connection that is lost', () => {
  it('while idle is reported and replaced', async () => {
    const warnings: string[] = [];
    const logger = { info: () => undefined, warn: (_details: object, message: string) => void warnings.push(message) };
    await using database = createDatabase({ url: server.url, poolMax: 2, applicationName: 'idle', logger });
    await answers(database);
    await terminate('idle');
    await eventually(() => warnings.includes('idle connection to postgres lost'));
    await answers(database);
    expect(database.stats()).toEqual({ connections: 1, idle: 1, waiting: 0, max: 2 });
  });

  it('while its transaction thinks fails the transaction and nothing else', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 1, applicationName: 'thinking' });
    const work = database.db.transaction().execute(async (transaction) => {
      await sql`select 1`.execute(transaction);
      await terminate('thinking');
      await eventually(async () => {
        const { rows } = await sql`select 1 from pg_stat_activity where application_name = 'thinking'`.execute(admin.db);
        return rows.length === 0;
      });
      await sql`select 2`.execute(transaction);
    });
    await failsSoon(work, 3000);
    await answers(database);
  });

  it('in the middle of a query fails the query', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 1, statementTimeoutMs: 20_000, applicationName: 'querying' });
    const work = sql`select pg_sleep(15)`.execute(database.db);
    // It may fail before the line below that awaits it.
    void failureOf(work);
    await eventually(async () => {
      const { rows } = await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'querying' and state = 'active'`.execute(admin.db);
      return rows.length > 0;
    });
    await failsSoon(work, 1000);
    await answers(database);
  });
});

describe('time limits', () => {
  it('end a statement', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 1, statementTimeoutMs: 100 });
    await failsSoon(sql`select pg_sleep(5)`.execute(database.db), 1000);
    await eventually(() => answers(database));
  });

  it('end a transaction that does nothing', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 1, idleInTransactionTimeoutMs: 100, applicationName: 'lazy' });
    const work = database.db.transaction().execute(async (transaction) => {
      await sql`select 1`.execute(transaction);
      await eventually(async () => {
        const { rows } = await sql`select 1 from pg_stat_activity where application_name = 'lazy'`.execute(admin.db);
        return rows.length === 0;
      });
      await sql`select 2`.execute(transaction);
    });
    await failsSoon(work, 3000);
    await answers(database);
  });

  it('end the wait for a free connection, and the refusal says busy', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 1, connectionTimeoutMs: 100 });
    // A busy machine may need longer for a connection; one that is there is taken at once.
    await eventually(() => answers(database));
    await database.db.connection().execute(async () => {
      expect(toRejection(await failureOf(answers(database))).code).toBe('server/busy');
      expect(database.stats().waiting).toBe(0);
    });
    await answers(database);
  });

  it('end the wait for an address that accepts and says nothing', async () => {
    await using proxy = await startTcpProxy({ targetPort: server.port });
    proxy.blackhole();
    await using database = createDatabase({ url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`, poolMax: 1, connectionTimeoutMs: 200 });
    await failsSoon(answers(database), 1500);
    proxy.heal();
    await eventually(() => answers(database), { timeoutMs: 15_000 });
  });
});

describe('too many connections', () => {
  it('are infrastructure, and the refusal says busy', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 20, statementTimeoutMs: 10_000, connectionTimeoutMs: 20_000 });
    const results = await Promise.all(Array.from({ length: 20 }, () => failureOf(sql`select pg_sleep(0.3)`.execute(database.db))));
    const failures = results.filter((error) => error !== undefined);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.map((error) => toRejection(error).code)).toEqual(failures.map(() => 'server/busy'));
    expect(failures.every(isInfrastructureError)).toBe(true);
  });
});

describe('a server that is frozen', () => {
  it('costs a query its time limit and one second; the connection is not used again, and everything heals', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 1, statementTimeoutMs: 100, connectionTimeoutMs: 300 });
    await eventually(() => answers(database));
    server.pause();
    try {
      await failsSoon(answers(database), 2500);
      expect(database.stats().connections).toBe(0);
      await failsSoon(answers(database), 1500);
    } finally {
      server.resume();
    }
    await eventually(() => answers(database), { timeoutMs: 15_000 });
  });

  it('costs a transaction the same, its rollback waits for nothing', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 1, statementTimeoutMs: 1_000 });
    const work = database.db.transaction().execute(async (transaction) => {
      await sql`select 1`.execute(transaction);
      server.pause();
      await sql`select 2`.execute(transaction);
    });
    await failsSoon(work, 3_000).finally(() => server.resume());
    await eventually(() => answers(database), { timeoutMs: 15_000 });
  });

  it('does not keep close() from ending within 4 s, and no socket stays', async () => {
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    const database = createDatabase({ url: server.url, poolMax: 1 });
    await answers(database);
    expect(sockets()).toBe(before + 1);
    server.pause();
    expect(await awakeMsOf(() => database.close().finally(() => server.resume()))).toBeLessThan(4000);
    expect(sockets()).toBe(before);
  });
});

describe('close', () => {
  it('waits for a query that runs', async () => {
    const database = createDatabase({ url: server.url, poolMax: 1 });
    const { promise: running, resolve: run } = Promise.withResolvers<undefined>();
    const work = database.db.connection().execute((connection) => {
      run(undefined);
      return sql<{ n: number }>`select pg_sleep(0.3), 7 as n`.execute(connection);
    });
    await running;
    const closed = database.close();
    expect((await work).rows[0]?.n).toBe(7);
    await closed;
  });

  it('cuts a query that goes on for more than 3 s', async () => {
    const database = createDatabase({ url: server.url, poolMax: 1, statementTimeoutMs: 20_000 });
    const { promise: running, resolve: run } = Promise.withResolvers<undefined>();
    const work = failureOf(database.db.connection().execute((connection) => {
      run(undefined);
      return sql`select pg_sleep(15)`.execute(connection);
    }));
    await running;
    expect(await awakeMsOf(() => database.close())).toBeLessThan(4000);
    expect(isInfrastructureError(await work)).toBe(true);
  });
});

describe('a server that stops', () => {
  it('is infrastructure until it is back; then everything goes on', async () => {
    await using database = createDatabase({ url: server.url, poolMax: 2 });
    await answers(database);
    await server.kill();
    await failsSoon(answers(database), 3000);
    await failsSoon(answers(database), 3000);
    await server.restart();
    await eventually(() => answers(database), { timeoutMs: 15_000 });
  });
});

describe('after close', () => {
  it('queries are infrastructure errors, and closing again is fine', async () => {
    const database = createDatabase({ url: server.url, poolMax: 1 });
    await answers(database);
    await database.close();
    await database.close();
    await failsSoon(answers(database), 500);
  });

  it('or before the first query, closing is fine', async () => {
    await createDatabase({ url: server.url, poolMax: 1 }).close();
  });
});
