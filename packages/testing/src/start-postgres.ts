import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { Client } from 'pg';

import { createDatabaseNamed } from './database-statements.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { startGuarded, type GuardedServer } from './guarded-server.ts';
import { findPostgres, findUnprivileged } from './postgres-binaries.ts';
import { prepareData } from './postgres-data.ts';

export interface PostgresOptions {
  /** Default: any free one. */
  port?: number;
  /** Default: a temporary one, removed by `stop`. */
  dataDir?: string;
  /** Of the superuser `postgres`, used when the data directory is made. Default: none is asked, which is for tests only. */
  password?: string;
  /** True: survives a power cut. Default false, which is for tests only. */
  durable?: boolean;
  /** Further settings, for example `{ max_connections: '20' }`. */
  settings?: Readonly<Record<string, string>>;
}

/** A real Postgres on 127.0.0.1 that ends with this process. */
export interface PostgresServer extends AsyncDisposable {
  /** Of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** The process id now; another one after `restart`. */
  readonly pid: number;
  isRunning(): boolean;
  /** Resolves when the present process has ended. */
  exited(): Promise<number | null>;
  output(): string;
  urlOf(database: string): string;
  /** Makes an empty database where there is none and resolves to its URL. */
  createDatabase(name: string): Promise<string>;
  /** Freezes all of its processes: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** SIGKILL of all its processes; resolves when it is gone. */
  kill(): Promise<void>;
  /** Stops in order, cutting its connections; a temporary data directory is removed. */
  stop(): Promise<void>;
  /** Stops where running, starts again with its data on the same port. */
  restart(): Promise<void>;
}

/** Starts a Postgres, also as root, and resolves when it answers; rejects with its last words when it ends first. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const dataDir = options.dataDir ?? join(await mkdtemp(join(tmpdir(), 'skirmish-postgres-')), 'data');
  await mkdir(dirname(dataDir), { recursive: true });
  const triesMax = options.port === undefined ? 5 : 1;
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort());
    try {
      return postgresServer(await launch(port, dataDir, options), port, dataDir, options);
    } catch (error) {
      if (tries >= triesMax || !String(error).includes('in use')) throw error;
    }
  }
}

function postgresServer(first: GuardedServer, port: number, dataDir: string, options: PostgresOptions): PostgresServer {
  let current = first;
  const urlOf = (database: string): string => connectionUrl(port, database, options.password);
  const stop = async (): Promise<void> => {
    await current.stop();
    if (options.dataDir === undefined) await rm(dirname(dataDir), { recursive: true, force: true });
  };
  return {
    url: urlOf('postgres'),
    port,
    dataDir,
    get pid() {
      return current.pid;
    },
    isRunning: () => current.isRunning(),
    exited: () => current.exited,
    output: () => current.output(),
    urlOf,
    createDatabase: async (name) => {
      await createDatabase(urlOf('postgres'), name);
      return urlOf(name);
    },
    pause: () => {
      current.signalAll('SIGSTOP');
    },
    resume: () => {
      current.signalAll('SIGCONT');
    },
    kill: async () => {
      current.signalAll('SIGKILL');
      await current.exited;
    },
    stop,
    restart: async () => {
      await current.stop();
      current = await launch(port, dataDir, options);
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function launch(port: number, dataDir: string, options: PostgresOptions): Promise<GuardedServer> {
  const binaries = findPostgres();
  const way = findUnprivileged(binaries, dirname(dataDir));
  await prepareData(dataDir, binaries, way, options.password ?? null);
  const [command = '', ...args] = [...way.prefix, binaries.postgres, '-D', dataDir, ...settingsOf(port, options)];
  // SIGINT is Postgres's fast stop: it cuts the connections instead of waiting for them.
  const server = await startGuarded({ command, args, cwd: '/', env: { ...process.env, LC_ALL: 'C' }, stopSignal: 'SIGINT' });
  const url = connectionUrl(port, 'postgres', options.password);
  try {
    await eventually(() => !server.isRunning() || answers(url), { timeoutMs: 60_000, what: `Postgres on port ${port}` });
  } catch (error) {
    await server.stop(2_000);
    throw error;
  }
  if (!server.isRunning()) throw new Error(`Postgres ended while starting: ${server.output().trim().split('\n').slice(-4).join(' | ')}`);
  return server;
}

function settingsOf(port: number, options: PostgresOptions): string[] {
  // Commits still reach the operating system before they are answered: SIGKILL of Postgres loses nothing, a power cut may.
  const quick = { fsync: 'off', full_page_writes: 'off', wal_level: 'minimal', max_wal_senders: '0' };
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '64MB',
    // Shared memory of containers is small by default; a file in the data directory is always large enough.
    dynamic_shared_memory_type: 'mmap',
    ...(options.durable === true ? {} : quick),
    ...options.settings,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function answers(url: string): Promise<boolean> {
  await withClient(url, (client) => client.query('select 1'));
  return true;
}

async function createDatabase(url: string, name: string): Promise<void> {
  await withClient(url, async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0) await createDatabaseNamed(client, name);
  });
}

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function connectionUrl(port: number, database: string, password: string | undefined): string {
  const login = password === undefined ? 'postgres' : `postgres:${encodeURIComponent(password)}`;
  return `postgres://${login}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}
