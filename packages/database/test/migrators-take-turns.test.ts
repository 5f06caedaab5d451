import { awakeMsOf, eventually } from '@skirmish/testing';
import { type RawBuilder, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate, MigrationError, pendingMigrations, type Database, type Migration } from '../src/index.ts';
import { migrations } from '../src/migrations/index.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeEach(async () => {
  world = await createTestWorld({ migrated: false });
});
afterEach(() => world[Symbol.asyncDispose]());

/** Not repeatable, and slow enough that others arrive meanwhile. */
const slow = (name: string, table: RawBuilder<unknown>): Migration => ({
  name,
  up: async (transaction) => {
    await sql`select pg_sleep(0.1)`.execute(transaction);
    await sql`create table ${table} (n int)`.execute(transaction);
  },
});
const tablesOf = async ({ db }: Database): Promise<string[]> => {
  const { rows } = await sql<{ name: string }>`select table_name as name from information_schema.tables
    where table_schema = 'public' order by table_name`.execute(db);
  return rows.map((row) => row.name);
};
const one = slow('0001-one', sql.table('one'));
const two = slow('0002-two', sql.table('two'));
const alter: Migration = {
  name: '0002-two',
  up: async (transaction) => {
    await sql`alter table one add column m int`.execute(transaction);
  },
};

describe('several migrators at once', () => {
  it('run each migration once, in order, and all of them return with everything done', async () => {
    const runs = await Promise.all([1, 2, 3, 4].map(async () => migrate(world.open(), { migrations: [one, two] })));
    expect(runs.flat().sort()).toEqual(['0001-one', '0002-two']);
    expect(await tablesOf(world.database)).toEqual(['one', 'schema_migrations', 'two']);
    expect(await migrate(world.database, { migrations: [one, two] })).toEqual([]);
  });

  it('wait for one another only for a limited time', async () => {
    await world.database.db.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(5361700915)`.execute(transaction);
      await expect(migrate(world.open(), { migrations: [one], turnTimeoutMs: 200 })).rejects.toThrow(MigrationError);
    });
    expect(await tablesOf(world.database)).toEqual([]);
  });

  it('go on when the one at work loses its connection, and nothing of it stays', async () => {
    const stuck: Migration = {
      name: '0001-one',
      up: async (transaction) => {
        await sql`create table half (n int)`.execute(transaction);
        await sql`select pg_sleep(60)`.execute(transaction);
      },
    };
    const failure = migrate(world.open(), { migrations: [stuck] }).then(
      () => undefined,
      (error: unknown) => error,
    );
    await eventually(async () => {
      const { rows } = await sql`select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()
        and datname = current_database()`.execute(world.database.db);
      return rows.length > 0;
    });
    expect(await failure).toMatchObject({ code: '57P01' });
    expect(await migrate(world.database, { migrations: [one] })).toEqual(['0001-one']);
    expect(await tablesOf(world.database)).toEqual(['one', 'schema_migrations']);
  });
});

describe('a migration', () => {
  it('that fails leaves nothing behind, and those before it stay', async () => {
    const broken: Migration = {
      name: '0002-two',
      up: async (transaction) => {
        await sql`create table half (n int)`.execute(transaction);
        await sql`select 1 / 0`.execute(transaction);
      },
    };
    await expect(migrate(world.database, { migrations: [one, broken] })).rejects.toMatchObject({ code: '22012' });
    expect(await tablesOf(world.database)).toEqual(['one', 'schema_migrations']);
    expect(await pendingMigrations(world.database, [one, broken])).toEqual(['0002-two']);
  });

  it('holds up the readers of a busy table for its lock timeout only, and is tried again until it gets the table', async () => {
    await migrate(world.database, { migrations: [one] });
    const warnings: string[] = [];
    const logger = { info: () => undefined, warn: (_details: object, message: string) => void warnings.push(message) };
    let migrated: Promise<string[]> | undefined;
    await world.database.db.transaction().execute(async (transaction) => {
      await sql`select * from one`.execute(transaction);
      migrated = migrate(world.open(), { migrations: [one, alter], lockTimeoutMs: 50, logger });
      await eventually(() => warnings.length > 0, { timeoutMs: 15_000 });
      expect(await awakeMsOf(() => sql`select * from one`.execute(world.open().db))).toBeLessThan(1000);
    });
    expect(await migrated).toEqual(['0002-two']);
    expect(warnings[0]).toContain('a table is in use');
  });

  it('gives up after a number of tries when the table stays locked', async () => {
    await migrate(world.database, { migrations: [one] });
    await world.database.db.transaction().execute(async (transaction) => {
      await sql`select * from one`.execute(transaction);
      await expect(migrate(world.open(), { migrations: [one, alter], lockTimeoutMs: 50, triesMax: 1 })).rejects.toMatchObject({ code: '55P03' });
    });
  });
});

describe('the released migrations', () => {
  it('run on an empty database, are reported, and leave nothing pending', async () => {
    const names = migrations.map((migration) => migration.name);
    expect(await pendingMigrations(world.database)).toEqual(names);
    const reported: object[] = [];
    const logger = { info: (details: object) => void reported.push(details), warn: () => undefined };
    expect(await migrate(world.database, { logger })).toEqual(names);
    expect(reported).toHaveLength(names.length);
    expect(reported[0]).toMatchObject({ migration: names[0], tookMs: expect.any(Number) as number });
    expect(await pendingMigrations(world.database)).toEqual([]);
  });

  it('are left alone by an older release that starts later', async () => {
    await migrate(world.database, { migrations: [one, two] });
    expect(await migrate(world.database, { migrations: [one] })).toEqual([]);
  });
});
