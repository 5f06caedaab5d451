import { randomUUID } from 'node:crypto';
import { createBackendEventWriter, createWebhookSender } from '@skirmish/backend-events';
import { assertMigrated, createDatabase, type Database, isInfrastructureError } from '@skirmish/database';
import { createEmitter } from '@skirmish/emitter';
import { createHealth, createMetrics, createShutdown, type Health, type Logger, type Metrics, serveInternal, type Shutdown } from '@skirmish/observability';
import type { RealmId } from '@skirmish/protocol';
import { createLaneWorker } from '@skirmish/queue';
import { createRedis, type Redis, whenReady } from '@skirmish/redis';
import { giveUp } from './chat/moderate.ts';
import type { ModerationWorkerConfig } from './config.ts';
import type { ModerationContext } from './context.ts';
import { jobs } from './jobs.ts';
import { createModerationWorkerLogger } from './logger.ts';
import { createModerationReporter } from './metrics.ts';

/** Parts that a caller brings along instead of those that the worker would make. */
export interface ModerationWorkerOverrides {
  readonly logger?: Logger;
  readonly health?: Health;
  readonly shutdown?: Shutdown;
  readonly reached?: ModerationContext['reached'];
}

/** A running moderation worker. */
export interface ModerationWorker extends AsyncDisposable {
  readonly id: string;
  readonly internalPort: number;
}

interface Parts {
  readonly config: ModerationWorkerConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly database: Database;
  readonly redis: Redis;
  readonly reached: ModerationContext['reached'];
  /** What ends the work of each realm, also when only some of them have begun. */
  readonly stops: (() => Promise<void>)[];
}

/** Resolves when the worker takes commands of all its realms; rejects when Redis, Postgres, its schema or the port cannot be had. */
export async function createModerationWorker(config: ModerationWorkerConfig, overrides: ModerationWorkerOverrides = {}): Promise<ModerationWorker> {
  const logger = overrides.logger ?? createModerationWorkerLogger(config);
  const shutdown = overrides.shutdown ?? createShutdown({ logger });
  const health = overrides.health ?? createHealth();
  const metrics = createMetrics({ process: 'moderation-worker' });
  const connection = { name: 'moderation-worker', logger };
  const parts: Parts = {
    config,
    logger,
    metrics,
    health,
    database: createDatabase({ url: config.databaseUrl, poolMax: config.databasePoolMax, applicationName: 'moderation-worker', logger }),
    redis: createRedis({ ...connection, url: config.redisUrl, role: 'command' }),
    reached: overrides.reached ?? (() => undefined),
    stops: [],
  };
  try {
    await Promise.all([whenReady(parts.redis), assertMigrated(parts.database)]);
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
  const { config, logger, metrics, health, database, redis, reached } = parts;
  const { epochGraceMs, resumeWindowMs: logWindowMs, inboxRetentionMs } = config;
  const { backendEventsRetentionMs: retentionMs, backendEventsMax: entriesMax, webhookUrl: url, webhookSecret: secret } = config;
  const context: ModerationContext = {
    realm,
    database,
    emitter: createEmitter({ redis, realm, epochGraceMs, logWindowMs, inboxRetentionMs }),
    backend: createBackendEventWriter({ redis, realm, retentionMs, entriesMax }),
    report: createModerationReporter({ logger, metrics }),
    reached,
  };
  const worker = createLaneWorker({
    redisUrl: config.queueRedisUrl,
    realm,
    queue: 'chat',
    concurrency: config.concurrency,
    lockMs: config.laneLockMs,
    step: (command, signal) => jobs[command.kind](context, command, signal),
    isInfrastructureError,
    onDead: (command, error) => giveUp(context, command, error),
    logger,
    metrics,
  });
  parts.stops.push(() => worker.close(5_000));
  if (url !== undefined && secret !== undefined) {
    const sender = createWebhookSender({ redis, realm, url, secret, privateAddresses: config.webhookPrivateAddresses, logger, metrics });
    parts.stops.push(() => sender.stop());
  }
  await worker.ready();
  health.register(`realm ${realm}`, () => ({ ok: redis.status === 'ready', reason: 'Redis is away', details: worker.stats() }), { graceMs: 5_000 });
}

async function disconnect({ database, redis }: Parts): Promise<void> {
  redis.disconnect();
  await database.close();
}
