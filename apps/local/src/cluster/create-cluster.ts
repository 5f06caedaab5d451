import { join } from 'node:path';
import { isPortFree } from '@skirmish/testing';
import { tryLock } from '../../bootstrap/lock.mjs';
import type { Balancer } from '../balancer/balancer.ts';
import { startNginxBalancer } from '../balancer/nginx-balancer.ts';
import { startOwnBalancer } from '../balancer/own-balancer.ts';
import { watchReadiness, type ReadinessWatch } from '../balancer/readiness-watch.ts';
import { startBots } from '../bots/start-bots.ts';
import { findNginx } from '../host-tools.ts';
import { Trouble } from '../trouble.ts';
import { startApp, type AppProcess, type AppRole } from './app-processes.ts';
import { readClusterFile, removeClusterFile, writeClusterFile, type ClusterDescription, type ProcessEntry } from './cluster-file.ts';
import type { ClusterSize } from './cluster-options.ts';
import { environmentOf, type Addresses } from './environment.ts';
import { openLogFile } from './log-file.ts';
import { prepareWorld } from './prepare-world.ts';
import { openPostgres, openRedis, type Store, type StoreOptions } from './stores.ts';
import { supervise, type Running, type Supervised } from './supervise.ts';

export interface ClusterOptions extends ClusterSize {
  /** Where data, logs and the description of the cluster are. */
  folder: string;
  /** Run the sources of the apps, not the build. */
  fromSource: boolean;
  /** Default: nginx where the machine has it. */
  balancer?: 'nginx' | 'own';
  /** Runs one step of the start and shows it. */
  step: <T>(what: string, work: () => Promise<T>) => Promise<T>;
  /** Hears what happens later: a process died, it runs again. */
  report: (line: string) => void;
}

/** The whole cluster on this machine. */
export interface Cluster extends AsyncDisposable {
  readonly url: string;
  readonly apps: readonly AppProcess[];
  describe(): ClusterDescription;
  /** Stops everything in order within 10 s and gives the folder back; twice is fine. */
  stop(): Promise<void>;
}

/** What has been started so far, in the order in which it is stopped. */
interface Parts {
  watch: ReadinessWatch | null;
  bots: Supervised<Running> | null;
  balancer: Supervised<Balancer> | null;
  apps: AppProcess[];
  stores: Store[];
}

const host = '127.0.0.1';

/** Starts everything and resolves when it answers; on failure, or when `signal` says so, what was started is stopped. */
export async function createCluster(options: ClusterOptions, signal: AbortSignal): Promise<Cluster> {
  const release = takeFolder(options.folder);
  const parts: Parts = { watch: null, bots: null, balancer: null, apps: [], stores: [] };
  const stop = once(async () => {
    removeClusterFile(options.folder);
    await stopParts(parts);
    release();
  });
  try {
    removeClusterFile(options.folder);
    return await startParts(options, parts, stop, signal);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts(options: ClusterOptions, parts: Parts, stop: () => Promise<void>, signal: AbortSignal): Promise<Cluster> {
  const { folder, report, step } = options;
  if (!(await isPortFree(options.port, host))) throw new Trouble(`Port ${options.port} is in use by another program; choose another one with --port.`);
  const url = `http://${host}:${options.port}`;
  let started = false;
  let addresses: Addresses = { redisUrl: '', queueRedisUrl: '', databaseUrl: '' };
  const describe = (): ClusterDescription => ({ url, ...addresses, processes: entriesOf(parts, options.port) });
  const onChange = (): void => {
    if (started && !signal.aborted) writeClusterFile(folder, describe());
  };
  const staged = <T>(what: string, work: () => Promise<T>): Promise<T> => step(what, () => unlessAborted(work, signal));
  const storeOptions: StoreOptions = { folder, fresh: options.fresh, onChange, report };

  addresses = await staged('Redis and Postgres', () => openStores(parts, storeOptions));
  await staged(`migrations and the development world (${options.players} players)`, () => prepareWorld(addresses.databaseUrl, options.players));
  const env = environmentOf(folder, options.realms, options.port, addresses);
  await staged(countsOf(options), () => startApps(options, parts, env, onChange));
  const kind = options.balancer ?? (findNginx() === null ? 'own' : 'nginx');
  await staged(kind === 'nginx' ? 'load balancer: nginx' : 'load balancer: our own, as nginx is not on this machine', () => startBalancer(kind, options, parts, onChange));
  if (options.bots > 0) {
    const { bots, players, realms } = options;
    parts.bots = await staged(`${bots} bots`, () => startBots({ url, realm: realms[0] ?? 'main', bots, players, onChange, report }));
  }
  started = true;
  onChange();
  return { url, apps: parts.apps, describe, stop, [Symbol.asyncDispose]: stop };
}

async function openStores(parts: Parts, options: StoreOptions): Promise<Addresses> {
  const keep = (store: Store): Store => {
    parts.stores.push(store);
    return store;
  };
  const [redis, postgres] = await allSettled([openRedis(options).then(keep), openPostgres(options).then(keep)]);
  const queueRedisUrl = process.env['QUEUE_REDIS_URL'] ?? '';
  return { redisUrl: redis.url, queueRedisUrl: queueRedisUrl === '' ? redis.url : queueRedisUrl, databaseUrl: postgres.url };
}

async function startApps(options: ClusterOptions, parts: Parts, env: Record<string, string>, onChange: () => void): Promise<void> {
  const { folder, fromSource, report } = options;
  const counts: [AppRole, number][] = [
    ['gateway', options.gateways],
    ['combat-worker', options.combatWorkers],
    ['moderation-worker', options.moderationWorkers],
  ];
  const starting = counts.flatMap(([role, count]) =>
    Array.from({ length: count }, async (_none, index) => {
      parts.apps.push(await startApp({ role, number: index + 1, fromSource, folder, env, onChange, report }));
    }),
  );
  await allSettled(starting);
}

async function startBalancer(kind: 'nginx' | 'own', options: ClusterOptions, parts: Parts, onChange: () => void): Promise<void> {
  const { port, report } = options;
  const folder = join(options.folder, 'nginx');
  const log = openLogFile(options.folder, 'load-balancer');
  const running = (): number[] => parts.apps.flatMap((app) => (app.publicPort === null || app.current() === null ? [] : [app.publicPort]));
  let upstreams: readonly number[] = running();
  const balancer = await supervise<Balancer>({
    name: 'load balancer',
    onChange,
    report,
    launch: (signal) => {
      const launch = { port, folder, upstreams, signal, onOutput: log.write };
      return kind === 'nginx' ? startNginxBalancer(findNginx() ?? 'nginx', launch) : startOwnBalancer(launch);
    },
  });
  parts.balancer = balancer;
  parts.watch = watchReadiness({
    ports: running,
    onChange: (ready) => {
      upstreams = ready;
      balancer.current()?.use(ready);
    },
  });
}

/** Clients are cut first, so that gateways have nobody to wait for; the stores go when nobody writes any more. */
async function stopParts({ watch, bots, balancer, apps, stores }: Parts): Promise<void> {
  watch?.stop();
  await bots?.stop(500);
  await balancer?.stop(1_000);
  await Promise.all(apps.map((app) => app.stop(5_000)));
  await Promise.all(stores.map(async (store) => store.supervised?.stop(2_000)));
}

function entriesOf({ balancer, apps, stores }: Parts, publicPort: number): ProcessEntry[] {
  const nginx = balancer?.current() ?? null;
  const first: ProcessEntry[] = nginx === null ? [] : [{ role: 'load-balancer', id: 'load-balancer', pid: nginx.pid, publicPort }];
  return [...first, ...apps.flatMap((app) => app.entry() ?? []), ...stores.flatMap((store) => store.entry() ?? [])];
}

function takeFolder(folder: string): () => void {
  const { release, holder } = tryLock(join(folder, 'start.lock'));
  if (release !== null) return release;
  const url = readClusterFile(folder)?.url;
  const where = url === undefined ? 'is starting or stopping' : `runs already at ${url}`;
  throw new Trouble(`The cluster of this folder ${where} (process ${holder}). Stop that one with Ctrl-C first, or use another clone.`);
}

function countsOf({ gateways, combatWorkers, moderationWorkers }: ClusterOptions): string {
  return `${gateways} gateways, ${combatWorkers} combat and ${moderationWorkers} moderation workers`;
}

/** Like Promise.all, but waits for all of them, so that nothing is still starting when a failure is handled. */
async function allSettled<T extends readonly Promise<unknown>[]>(promises: readonly [...T]): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    work().then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => (done ??= work());
}
