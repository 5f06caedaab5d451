import { randomUUID } from 'node:crypto';
import { createBackendEventWriter } from '@skirmish/backend-events';
import { assertMigrated, createDatabase, type Database, isInfrastructureError } from '@skirmish/database';
import { createEmitter, PlayerChanges } from '@skirmish/emitter';
import { createHealth, createMetrics, createShutdown, type Health, type Logger, type Metrics, serveInternal, type Shutdown } from '@skirmish/observability';
import type { RealmId } from '@skirmish/protocol';
import { createLaneProducer, createLaneWorker } from '@skirmish/queue';
import { createRedis, type Redis, whenReady } from '@skirmish/redis';
import { giveUp } from './combat/give-up.ts';
import { MovedOn } from './combat/settle.ts';
import { startSweeper } from './combat/sweep.ts';
import { createToldEvents } from './combat/told-events.ts';
import type { CombatWorkerConfig } from './config.ts';
import type { CombatContext } from './context.ts';
import { runJob } from './jobs.ts';
import { createCombatWorkerLogger } from './logger.ts';
import { createCombatReporter } from './metrics.ts';

/** Parts that a caller brings along instead of those that the worker would make. */
export interface CombatWorkerOverrides {
  readonly logger?: Logger;
  readonly health?: Health;
  readonly shutdown?: Shutdown;
  readonly reached?: CombatContext['reached'];
}

/** A running combat worker. */
export interface CombatWorker extends AsyncDisposable {
  readonly id: string;
  readonly internalPort: number;
}

interface Parts {
  readonly config: CombatWorkerConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly database: Database;
  readonly redis: Redis;
  readonly queueRedis: Redis;
  readonly reached: CombatContext['reached'];
  /** What ends the work of each realm, also when only some of them have begun. */
  readonly stops: (() => Promise<void>)[];
}

/** Resolves when the worker takes commands of all its realms; rejects when Redis, Postgres, its schema or the port cannot be had. */
export async function createCombatWorker(config: CombatWorkerConfig, overrides: CombatWorkerOverrides = {}): Promise<CombatWorker> {
  const logger = overrides.logger ?? createCombatWorkerLogger(config);
  const shutdown = overrides.shutdown ?? createShutdown({ logger });
  const health = overrides.health ?? createHealth();
  const metrics = createMetrics({ process: 'combat-worker' });
  const connection = { name: 'combat-worker', logger };
  const parts: Parts = {
    config,
    logger,
    metrics,
    health,
    database: createDatabase({ url: config.databaseUrl, poolMax: config.databasePoolMax, applicationName: 'combat-worker', logger }),
    redis: createRedis({ ...connection, url: config.redisUrl, role: 'command' }),
    queueRedis: createRedis({ ...connection, name: 'combat-worker-queue', url: config.queueRedisUrl, role: 'queue' }),
    reached: overrides.reached ?? (() => undefined),
    stops: [],
  };
  try {
    await Promise.all([whenReady(parts.redis), whenReady(parts.queueRedis), assertMigrated(parts.database)]);
    shutdown.step('lanes', 6_000, () => Promise.all(parts.stops.map((stop) => stop())));
    await Promise.all(config.realms.map((realm) => startRealm(parts, realm as RealmId)));
    const server = await serveInternal({ host: config.internalHost, port: config.internalPort, health, metrics });
    shutdown.step('internal server', 500, () => server.close());
    return { id: randomUUID(), internalPort: server.port, [Symbol.asyncDispose]: () => shutdown.run('disposed').then(() => undefined) };
  } catch (error) {
    await shutdown.run('the start failed');
    throw error;
  } finally {
    shutdown.step('connections', 2_000, () => disconnect(parts));
  }
}

async function startRealm(parts: Parts, realm: RealmId): Promise<void> {
  const { config, logger, metrics, health, database, redis, queueRedis, reached } = parts;
  const { epochGraceMs, resumeWindowMs: logWindowMs, inboxRetentionMs, turnTimeoutMs } = config;
  const { backendEventsRetentionMs: retentionMs, backendEventsMax: entriesMax } = config;
  const lanes = createLaneProducer({ redis: queueRedis, realm, queue: 'combat', logger, metrics });
  const context: CombatContext = {
    realm,
    database,
    emitter: createEmitter({ redis, realm, epochGraceMs, logWindowMs, inboxRetentionMs }),
    changes: new PlayerChanges(redis, realm),
    backend: createBackendEventWriter({ redis, realm, retentionMs, entriesMax }),
    lanes,
    report: createCombatReporter({ logger, metrics }),
    told: createToldEvents(),
    turnTimeoutMs,
    nowMs: Date.now,
    reached,
  };
  const worker = createLaneWorker({
    redisUrl: config.queueRedisUrl,
    realm,
    queue: 'combat',
    concurrency: config.concurrency,
    lockMs: config.laneLockMs,
    step: (command, signal) => runJob(context, command, signal),
    isInfrastructureError: (error) => error instanceof MovedOn || isInfrastructureError(error),
    onDead: (command, error) => giveUp(context, command, error),
    logger,
    metrics,
  });
  const sweeper = startSweeper(context, { intervalMs: config.sweepIntervalMs, graceMs: config.sweepGraceMs });
  parts.stops.push(async () => {
    await Promise.all([worker.close(5_000), sweeper.stop()]);
    await lanes.close();
  });
  await worker.ready();
  const reachable = (): boolean => sweeper.healthy && redis.status === 'ready' && queueRedis.status === 'ready';
  health.register(`realm ${realm}`, () => ({ ok: reachable(), reason: 'Redis or Postgres is away', details: worker.stats() }), { graceMs: 5_000 });
}

async function disconnect({ database, redis, queueRedis }: Parts): Promise<void> {
  redis.disconnect();
  queueRedis.disconnect();
  await database.close();
}
