import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startPostgres, startRedis, type PostgresServer, type RedisServer } from '@skirmish/testing';
import { ensureRedis } from '../host-tools.ts';
import { localSecrets } from '../local-folder.ts';
import type { ProcessEntry } from './cluster-file.ts';
import { supervise, type Running, type Supervised } from './supervise.ts';

/** Redis or Postgres: its address, and its process where it is ours. */
export interface Store {
  readonly url: string;
  readonly supervised: Supervised<Running> | null;
  entry(): ProcessEntry | null;
}

export interface StoreOptions {
  folder: string;
  /** Remove our own data first. */
  fresh: boolean;
  onChange: () => void;
  report: (line: string) => void;
}

const databaseName = 'skirmish';

/** The Redis at REDIS_URL, else one of our own with an append-only file under `folder`. */
export async function openRedis(options: StoreOptions): Promise<Store> {
  const given = process.env['REDIS_URL'];
  if (given !== undefined && given !== '') return foreign(given);
  await ensureRedis();
  const dataDir = prepared(options, 'redis');
  const port = await freePort();
  // Seconds of a crash of the machine may be lost, nothing of a crash of Redis: each reply waits for the write to the file.
  const args = ['--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'];
  let server: RedisServer | null = null;
  const launch = async (): Promise<Running> => {
    if (server === null) server = await startRedis({ port, dataDir, args });
    else await server.restart();
    return runningOf(server);
  };
  return own('redis', port, `redis://127.0.0.1:${port}`, await supervise({ ...reporting('redis', options), launch }));
}

/** The Postgres at DATABASE_URL, else one of our own, durable, with its data under `folder`. */
export async function openPostgres(options: StoreOptions): Promise<Store> {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined && given !== '') return foreign(given);
  const dataDir = prepared(options, 'postgres');
  const port = await freePort();
  const { postgresPassword } = localSecrets(options.folder);
  let server: PostgresServer | null = null;
  const launch = async (): Promise<Running> => {
    if (server === null) server = await startPostgres({ port, dataDir, password: postgresPassword, durable: true });
    else await server.restart();
    return runningOf(server);
  };
  const supervised = await supervise({ ...reporting('postgres', options), launch });
  // The first launch has set it; the compiler cannot see that.
  const started = server as PostgresServer | null;
  if (started === null) throw new Error('Postgres did not start');
  return own('postgres', port, await started.createDatabase(databaseName), supervised);
}

const reporting = (name: string, { onChange, report }: StoreOptions): { name: string; onChange: () => void; report: (line: string) => void } => ({
  name,
  onChange,
  report,
});

const foreign = (url: string): Store => ({ url, supervised: null, entry: () => null });

function own(role: 'redis' | 'postgres', port: number, url: string, supervised: Supervised<Running>): Store {
  return {
    url,
    supervised,
    entry: () => {
      const running = supervised.current();
      return running === null ? null : { role, id: role, pid: running.pid, publicPort: port };
    },
  };
}

function prepared({ folder, fresh }: StoreOptions, name: string): string {
  const dataDir = join(folder, name);
  if (fresh && existsSync(dataDir)) rmSync(dataDir, { recursive: true });
  return dataDir;
}

/** One life of a server: its process id is the one of now, also when the server has a new one later. */
const runningOf = (server: RedisServer | PostgresServer): Running => ({
  pid: server.pid,
  exited: server.exited(),
  stop: () => server.stop(),
});
