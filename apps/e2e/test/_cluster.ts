import { join } from 'node:path';
import { signToken } from '@skirmish/auth';
import { createDatabase, migrate, seedDevelopmentWorld } from '@skirmish/database';
import { createEmitter, type Emitter } from '@skirmish/emitter';
import type { RealmId } from '@skirmish/protocol';
import { createRedis, type Redis } from '@skirmish/redis';
import {
  createTestDatabase, startProcess, startRedis, type ManagedProcess, type RedisServer, type TestDatabase,
} from '@skirmish/testing';
import { repositoryRoot } from '../src/index.ts';
import { Player, type PlayerOptions } from './_player.ts';

export type Role = 'gateway' | 'combat-worker' | 'moderation-worker';

export interface ClusterOptions {
  /** Default 2. */
  gateways?: number;
  /** Default 1. */
  combatWorkers?: number;
  /** Default 1. */
  moderationWorkers?: number;
  /** Default: a Redis of its own, which `stop` ends. One that is given belongs to the caller. */
  redis?: RedisServer;
  /** For the gateways and workers, over the defaults of the harness. */
  env?: Record<string, string>;
  /** Players of the development world, default 20. */
  players?: number;
}

/** One gateway; its `incarnation` follows the process when it takes a new one. */
export interface GatewayHandle {
  readonly url: string;
  readonly internalUrl: string;
  readonly incarnation: string;
  readonly process: ManagedProcess;
}

export interface TokenOptions {
  roles?: ('player' | 'moderator' | 'service' | 'system')[];
  ttlSeconds?: number;
}

/** Real processes on a Redis and a migrated, seeded database of their own. Everything ends with `stop`. */
export interface Cluster extends AsyncDisposable {
  readonly realm: RealmId;
  readonly gateways: GatewayHandle[];
  readonly workers: Record<'combat' | 'moderation', ManagedProcess[]>;
  readonly redis: RedisServer;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  /** The environment of its processes. */
  readonly env: Readonly<Record<string, string>>;
  token(userId: string, options?: TokenOptions): Promise<string>;
  /** A client that is not connected yet. */
  player(userId: string, gatewayIndex: number, options?: Partial<PlayerOptions>): Promise<Player>;
  /** A client after its welcome. */
  connect(userId: string, gatewayIndex: number, options?: Partial<PlayerOptions>): Promise<Player>;
  addGateway(env?: Record<string, string>): Promise<GatewayHandle>;
  addWorker(kind: 'combat' | 'moderation', env?: Record<string, string>): Promise<ManagedProcess>;
  /** A command connection to the cluster's Redis. */
  command(): Redis;
  /** An emitter as a worker would have one. */
  emitter(): Emitter;
  stop(): Promise<void>;
}

export const secret = 'a secret of the tests, at least 32 bytes long';
const realm = 'main' as RealmId;

const mainOf = (role: Role): string => join(repositoryRoot, 'apps', role, 'src', 'main.ts');

function environment(redisUrl: string, databaseUrl: string, extra: Record<string, string>): Record<string, string> {
  return {
    NODE_ENV: 'development', LOG_LEVEL: 'warn', REALMS: realm, EPOCH_GRACE_MS: '200',
    // The delay of the event loop is the busy machine's.
    EVENT_LOOP_DELAY_MAX_MS: '60000',
    SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_HOST: '127.0.0.1', INTERNAL_PORT: '0',
    REDIS_URL: redisUrl, QUEUE_REDIS_URL: redisUrl, DATABASE_URL: databaseUrl, DATABASE_POOL_MAX: '5', JWT_SECRET: secret,
    ...extra,
  };
}

async function prepareDatabase(players: number): Promise<TestDatabase> {
  const created = await createTestDatabase();
  await using database = createDatabase({ url: created.url, poolMax: 2, statementTimeoutMs: 10_000 });
  await migrate(database);
  await seedDevelopmentWorld(database, { players });
  return created;
}

function gatewayHandle(process: ManagedProcess): GatewayHandle {
  const at = (port: number | undefined): string => `http://127.0.0.1:${port ?? 0}`;
  return {
    get url() { return at(process.ready.publicPort); },
    get internalUrl() { return at(process.ready.internalPort); },
    get incarnation() { return process.ready.id; },
    process,
  };
}

/** Starts a cluster and resolves when every process of it is ready; what was started is stopped when one of them fails. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const redis = options.redis ?? (await startRedis());
  const testDatabase = await prepareDatabase(options.players ?? 20);
  const env = environment(redis.url, testDatabase.url, options.env ?? {});
  const processes: ManagedProcess[] = [];
  const connections: Redis[] = [];
  const gateways: GatewayHandle[] = [];
  const workers: Cluster['workers'] = { combat: [], moderation: [] };
  const players: Player[] = [];

  const start = async (role: Role, extra: Record<string, string> = {}): Promise<ManagedProcess> => {
    const process = await startProcess({ name: role, entry: mainOf(role), env: { ...env, ...extra } });
    processes.push(process);
    return process;
  };
  const cluster: Cluster = {
    realm, gateways, workers, redis, redisUrl: redis.url, databaseUrl: testDatabase.url, env,
    token: async (userId, { roles, ttlSeconds = 3_600 } = {}) =>
      (await signToken({ secret, serviceAudience: 'skirmish-service', userId: userId, ttlSeconds, ...(roles === undefined ? {} : { roles }) })).token,
    player: async (userId, gatewayIndex, playerOptions = {}) => {
      const url = gateways[gatewayIndex]?.url;
      if (url === undefined) throw new Error(`there is no gateway ${gatewayIndex}`);
      const player = new Player({ url, realm, token: await cluster.token(userId), ...playerOptions });
      players.push(player);
      return player;
    },
    connect: async (userId, gatewayIndex, playerOptions) => {
      const player = await cluster.player(userId, gatewayIndex, playerOptions);
      await player.connect();
      return player;
    },
    addGateway: async (extra) => {
      const gateway = gatewayHandle(await start('gateway', extra));
      gateways.push(gateway);
      return gateway;
    },
    addWorker: async (kind, extra) => {
      const worker = await start(`${kind}-worker`, extra);
      workers[kind].push(worker);
      return worker;
    },
    command: () => {
      const connection = createRedis({ url: redis.url, name: 'e2e', role: 'command' });
      connections.push(connection);
      return connection;
    },
    emitter: () => createEmitter({ redis: cluster.command(), realm, epochGraceMs: 200 }),
    stop: async () => {
      for (const player of players) player.close();
      for (const connection of connections) connection.disconnect();
      await Promise.all(processes.map((process) => process.stop()));
      if (options.redis === undefined) await redis.stop();
      await testDatabase.drop();
    },
    [Symbol.asyncDispose]: () => cluster.stop(),
  };
  const times = <T>(count: number, make: () => Promise<T>): Promise<T>[] => Array.from({ length: count }, make);
  const started = await Promise.allSettled([
    ...times(options.gateways ?? 2, () => cluster.addGateway()),
    ...times(options.combatWorkers ?? 1, () => cluster.addWorker('combat')),
    ...times(options.moderationWorkers ?? 1, () => cluster.addWorker('moderation')),
  ]);
  const failed = started.find((result) => result.status === 'rejected');
  if (failed === undefined) return cluster;
  await cluster.stop();
  throw failed.reason;
}
