import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';
import type { DatabaseLogger } from './database-logger.ts';
import { columnTypes } from './parse-columns.ts';

export interface PoolOptions {
  readonly url: string;
  readonly poolMax: number;
  readonly statementTimeoutMs: number;
  readonly idleInTransactionTimeoutMs: number;
  readonly connectionTimeoutMs: number;
  readonly applicationName: string;
  readonly logger: DatabaseLogger | undefined;
}

export interface PoolStats {
  readonly connections: number;
  readonly idle: number;
  readonly waiting: number;
  readonly max: number;
}

/** The client gives up this much later than Postgres does: only a server that is frozen or unreachable lets it come to that. */
const readTimeoutExtraMs = 1000;
const closeTimeoutMs = 3000;

/** What the driver says when the answer did not come in time; it has no code. */
export const readTimeoutMessage = 'Query read timeout';

/** States with which Postgres ends the connection: shutdown, crash, a database that is gone, a transaction that was idle or too long. */
const farewell = /^(?:08|57P0|25P0[34])/;

/** True when nothing more will come over the connection: the answer is overdue, or Postgres said good-bye. */
const endsConnection = (error: unknown): error is Error =>
  error instanceof Error && (error.message === readTimeoutMessage || (error instanceof pg.DatabaseError && farewell.test(error.code ?? '')));

/**
 * The driver returns such a connection to its pool, where the next user waits behind the old query or meets the closing socket.
 * Here it refuses everything from then on with the error that ended it (a rollback need not wait again) and is thrown away on release.
 */
const guardClient = (client: pg.PoolClient): PostgresPoolClient => {
  let ended: Error | undefined;
  const query = async (sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<unknown>> => {
    if (ended !== undefined) throw ended;
    try {
      return (await client.query(sql, [...parameters])) as unknown as PostgresQueryResult<unknown>;
    } catch (error) {
      if (endsConnection(error)) ended = error;
      throw error;
    }
  };
  return {
    query: query as PostgresPoolClient['query'],
    release: (destroy) => {
      client.release(ended !== undefined || destroy === true);
    },
  };
};

/** The socket, which the driver's types do not show. */
const streamOf = (client: pg.PoolClient): { destroy(): void } =>
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;

const createPgPool = (options: PoolOptions): pg.Pool =>
  new pg.Pool({
    connectionString: options.url,
    max: options.poolMax,
    application_name: options.applicationName,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + readTimeoutExtraMs,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
    connectionTimeoutMillis: options.connectionTimeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    types: columnTypes,
  });

/**
 * A pool that a lost connection never crashes: an idle one is reported and replaced, one that is lost while a transaction thinks
 * fails the next statement of that transaction. Closing takes 3 s at most, also with a server that does not answer.
 */
export class ConnectionPool implements PostgresPool {
  readonly options: object = {};
  readonly #pool: pg.Pool;
  readonly #max: number;
  readonly #clients = new Set<pg.PoolClient>();
  #ended: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    const { logger } = options;
    this.#max = options.poolMax;
    this.#pool = createPgPool(options);
    this.#pool.on('error', (error) => logger?.warn({ err: error }, 'idle connection to postgres lost'));
    this.#pool.on('connect', (client) => {
      this.#clients.add(client);
      client.on('error', (error) => logger?.warn({ err: error }, 'connection to postgres failed'));
    });
    this.#pool.on('remove', (client) => this.#clients.delete(client));
  }

  async connect(): Promise<PostgresPoolClient> {
    return guardClient(await this.#pool.connect());
  }

  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  stats(): PoolStats {
    return { connections: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#pool.waitingCount, max: this.#max };
  }

  /** The driver's own end() returns before the sockets are closed, and a server that does not answer would keep them open. */
  async #end(): Promise<void> {
    const cutting = setTimeout(() => {
      for (const client of this.#clients) streamOf(client).destroy();
    }, closeTimeoutMs);
    try {
      await Promise.all([this.#pool.end(), this.#allClosed()]);
    } finally {
      clearTimeout(cutting);
    }
  }

  #allClosed(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#clients.size === 0) resolve();
      };
      this.#pool.on('remove', look);
      look();
    });
  }
}
