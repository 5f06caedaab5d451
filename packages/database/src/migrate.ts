import { sql, type Kysely, type Transaction } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from './database.ts';
import type { DatabaseLogger } from './database-logger.ts';
import { sqlStateOf } from './errors.ts';
import { migrations as released } from './migrations/index.ts';
import type { Migration } from './migrations/migration.ts';
import type { Schema } from './schema.ts';

export interface MigrateOptions {
  readonly logger?: DatabaseLogger;
  readonly migrations?: readonly Migration[];
  /** How long to wait for another migrator (default 60,000). */
  readonly turnTimeoutMs?: number;
  /** How long a migration may wait for a table that is in use, and so hold up everybody behind it (default 2000). */
  readonly lockTimeoutMs?: number;
  /** How often a migration that did not get its table is tried (default 10), a second apart. */
  readonly triesMax?: number;
}

/** The database and the list of migrations contradict each other, or another migrator did not finish. Nothing was changed. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

const migrationTimeoutMs = 10 * 60_000;
const betweenTriesMs = 1000;
const lockNotAvailable = '55P03';
/** Any constant will do, as long as nobody else in this database locks it. */
const lockKey = 5_361_700_915;

interface Ledger {
  schema_migrations: { name: string; applied_at_ms?: number };
}
const ledgerOf = (db: Kysely<Schema>): Kysely<Ledger> => db as unknown as Kysely<Ledger>;

const setLocal = async (transaction: Transaction<Schema>, name: string, valueMs: number): Promise<void> => {
  await sql`select set_config(${name}, ${String(valueMs)}, true)`.execute(transaction);
};

/** Only one migrator of a database gets past this until its transaction ends; a dead or frozen one loses the lock with its connection. */
const takeTurn = async (transaction: Transaction<Schema>, options: MigrateOptions): Promise<void> => {
  await setLocal(transaction, 'lock_timeout', options.turnTimeoutMs ?? 60_000);
  try {
    await sql`select pg_advisory_xact_lock(${lockKey})`.execute(transaction);
  } catch (error) {
    if (sqlStateOf(error) !== lockNotAvailable) throw error;
    throw new MigrationError('another migrator is at work and did not finish in time', { cause: error });
  }
  await setLocal(transaction, 'lock_timeout', options.lockTimeoutMs ?? 2000);
};

/** The names that ran, in order; nothing when the database is new. */
const appliedNames = async (db: Kysely<Schema>): Promise<string[]> => {
  const exists = await sql<{ found: boolean }>`select to_regclass('schema_migrations') is not null as found`.execute(db);
  if (exists.rows[0]?.found !== true) return [];
  const rows = await ledgerOf(db).selectFrom('schema_migrations').select('name').execute();
  return rows.map((row) => row.name).sort();
};

/**
 * What is still to run. A database that is ahead (a newer release has migrated it) is fine: expand before contract keeps it
 * usable. Anything else that does not fit is refused.
 */
export const remainingMigrations = (known: readonly Migration[], applied: readonly string[]): readonly Migration[] => {
  const remaining = known.filter((migration) => !applied.includes(migration.name));
  const last = known.at(-1)?.name ?? '';
  const foreign = applied.find((name) => name < last && !known.some((migration) => migration.name === name));
  if (foreign !== undefined) throw new MigrationError(`the database has run ${foreign}, which this release does not know`);
  const [first] = remaining;
  const later = applied.find((name) => first !== undefined && name > first.name);
  if (first !== undefined && later !== undefined) throw new MigrationError(`${first.name} is missing, but ${later} has run already`);
  return remaining;
};

const createLedger = async (transaction: Transaction<Schema>): Promise<void> => {
  await sql`create table if not exists schema_migrations (
    name text collate "C" primary key,
    applied_at_ms int8 not null default (extract(epoch from clock_timestamp()) * 1000)::int8
  )`.execute(transaction);
};

/** Runs the next migration that is missing, if there is one. What is missing is read again behind the lock. */
const applyNext = async (database: Database, known: readonly Migration[], options: MigrateOptions): Promise<string | undefined> =>
  database.db.transaction().execute(async (transaction) => {
    await takeTurn(transaction, options);
    await createLedger(transaction);
    const [next] = remainingMigrations(known, await appliedNames(transaction));
    if (next === undefined) return undefined;
    await next.up(transaction);
    await ledgerOf(transaction).insertInto('schema_migrations').values({ name: next.name }).execute();
    return next.name;
  });

const applyNextPatiently = async (database: Database, known: readonly Migration[], options: MigrateOptions): Promise<string | undefined> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await applyNext(database, known, options);
    } catch (error) {
      const tableIsLocked = !(error instanceof MigrationError) && sqlStateOf(error) === lockNotAvailable;
      if (!tableIsLocked || tries >= (options.triesMax ?? 10)) throw error;
      options.logger?.warn({ tries }, 'a table is in use, the migration waits');
      await delay(betweenTriesMs);
    }
  }
};

/** The names of the migrations that this release has and the database has not: a process is ready when there are none. */
export const pendingMigrations = async (database: Database, known = released): Promise<string[]> =>
  remainingMigrations(known, await appliedNames(database.db)).map((migration) => migration.name);

/**
 * Brings the schema forward and returns the names of what ran here. Any number of processes may call it at once: an advisory
 * lock lets one go first, the others find the work done. Each migration is one transaction. Throws MigrationError when database
 * and release contradict each other, or the database's own error when a table stays locked.
 */
export const migrate = async (database: Database, options: MigrateOptions = {}): Promise<string[]> => {
  const known = options.migrations ?? released;
  const done: string[] = [];
  if ((await pendingMigrations(database, known)).length === 0) return done;
  await using patient = database.withStatementTimeout(migrationTimeoutMs);
  for (;;) {
    const startedAtMs = performance.now();
    const name = await applyNextPatiently(patient, known, options);
    if (name === undefined) return done;
    done.push(name);
    options.logger?.info({ migration: name, tookMs: Math.round(performance.now() - startedAtMs) }, 'schema migrated');
  }
};

/** Rejects with the names of the migrations that are missing: a process of a newer release must not meet the tables of an older one. */
export async function assertMigrated(database: Database): Promise<void> {
  const pending = await pendingMigrations(database);
  if (pending.length > 0) throw new Error(`the database lacks the migrations ${pending.join(', ')}: run them first`);
}
