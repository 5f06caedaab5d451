import { Kysely, PostgresDialect } from 'kysely';
import { ConnectionPool, type PoolStats } from './connection-pool.ts';
import type { DatabaseLogger } from './database-logger.ts';
import type { Schema } from './schema.ts';

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Connections of this process at most: (what Postgres allows − a reserve) ÷ processes. */
  readonly poolMax: number;
  /** Postgres cancels a statement after this time (default 2000); a server that does not even cancel is given up a second later. */
  readonly statementTimeoutMs?: number;
  /** Postgres ends a transaction that does nothing for this time (default 5000). */
  readonly idleInTransactionTimeoutMs?: number;
  /** How long a query waits for a connection, free or new (default 2000). */
  readonly connectionTimeoutMs?: number;
  /** Shown in `pg_stat_activity` (default `skirmish`). */
  readonly applicationName?: string;
  readonly logger?: DatabaseLogger;
}

/** A pool of connections and the typed query builder over it. Nothing connects before the first query. */
export interface Database extends AsyncDisposable {
  readonly db: Kysely<Schema>;
  stats(): PoolStats;
  /** Another database value on the same address with one connection and its own time limit, for migrations and bulk work. Close it. */
  withStatementTimeout(statementTimeoutMs: number): Database;
  /** Waits for running queries, 3 s at most. Closing twice is fine; queries after it are infrastructure errors. */
  close(): Promise<void>;
}

/**
 * Opens the pool. A connection that is lost, idle or not, never ends the process; errors of queries reach only their callers,
 * who ask `isInfrastructureError` (wait and try again) and `toRejection` (what a client may hear).
 */
export const createDatabase = (options: DatabaseOptions): Database => {
  const pool = new ConnectionPool({
    url: options.url,
    poolMax: options.poolMax,
    statementTimeoutMs: options.statementTimeoutMs ?? 2000,
    idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs ?? 5000,
    connectionTimeoutMs: options.connectionTimeoutMs ?? 2000,
    applicationName: options.applicationName ?? 'skirmish',
    logger: options.logger,
  });
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  const close = async (): Promise<void> => {
    await db.destroy();
    await pool.end();
  };
  return {
    db,
    stats: () => pool.stats(),
    withStatementTimeout: (statementTimeoutMs) => createDatabase({ ...options, poolMax: 1, statementTimeoutMs }),
    close,
    [Symbol.asyncDispose]: close,
  };
};
