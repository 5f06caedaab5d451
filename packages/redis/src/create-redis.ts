import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';

/**
 * What a connection is for; it decides how the connection behaves while Redis is away.
 *
 * - `command`: request paths. Refuses at once while disconnected, a command takes at most `commandTimeoutMs`.
 * - `queue`: producers of BullMQ and lanes. Like `command`.
 * - `worker`: BullMQ's blocking workers. Waits for Redis for ever, as BullMQ demands.
 * - `subscriber`: Pub/Sub. Subscribes again by itself.
 */
export type RedisRole = 'command' | 'queue' | 'worker' | 'subscriber';

/** The part of a logger that a connection needs. */
export interface RedisLogger {
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

export interface RedisSettings {
  url: string;
  /** Shown by `CLIENT LIST`; one name per purpose and process. */
  name: string;
  role: RedisRole;
  logger?: RedisLogger;
  /** Limit of one command, milliseconds; default 3,000. Not for `worker` and `subscriber`. */
  commandTimeoutMs?: number;
  /**
   * A connection that waits for an answer and hears nothing for so long is opened anew, milliseconds: the only cure of a half-open
   * one. Default 5,000; for `worker` 12,000, because it blocks up to 10,000. A `subscriber` asks
   * by itself, four times in this time.
   */
  socketTimeoutMs?: number;
}

const reconnectDelayMsMax = 1000;
const socketTimeoutMsDefaults = { command: 5000, queue: 5000, worker: 12_000, subscriber: 5000 } as const;
const socketTimeoutMsOf = ({ role, socketTimeoutMs }: RedisSettings): number => socketTimeoutMs ?? socketTimeoutMsDefaults[role];

/** Delay before attempt `times`, milliseconds: doubles from 50 to 1,000, with 30 % jitter so that processes do not return in step. */
export function reconnectDelayMs(times: number, random: () => number = Math.random): number {
  const delay = Math.min(50 * 2 ** Math.min(times - 1, 10), reconnectDelayMsMax);
  return Math.round(delay * (0.85 + 0.3 * random()));
}

/** The options of every connection of the house; exported for the adapter's own connections. */
export function redisOptions(settings: RedisSettings) {
  const socketTimeoutMs = socketTimeoutMsOf(settings);
  const waits = settings.role === 'worker' || settings.role === 'subscriber';
  return {
    connectionName: settings.name,
    connectTimeout: 4000,
    keepAlive: 10_000,
    retryStrategy: (times: number) => reconnectDelayMs(times),
    // A demoted master answers READONLY: reconnect and send the command again.
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (2 as const) : false),
    maxRetriesPerRequest: null,
    enableOfflineQueue: waits,
    ...(waits ? {} : { commandTimeout: settings.commandTimeoutMs ?? 3000 }),
    socketTimeout: socketTimeoutMs * (settings.role === 'subscriber' ? 0.75 : 1),
  } satisfies RedisOptions;
}

/**
 * Opens a connection. It reconnects for ever, never throws from an event, and reports outages once per change of state.
 * Resolve readiness with {@link whenReady}.
 */
export function createRedis(settings: RedisSettings): Redis {
  const redis = new Redis(settings.url, redisOptions(settings));
  reportState(redis, settings);
  if (settings.role === 'subscriber') {
    hearResubscriptions(redis);
    keepAsking(redis, socketTimeoutMsOf(settings) / 4);
  }
  return redis;
}

/** A subscriber sends nothing by itself, so it would never notice that its connection is half-open and stay deaf. */
function keepAsking(redis: Redis, heartbeatMs: number): void {
  const timer = setInterval(() => {
    if (redis.status === 'ready') redis.ping().catch(() => undefined);
  }, heartbeatMs);
  timer.unref();
  redis.once('end', () => { clearInterval(timer); });
}

/** After a reconnect ioredis subscribes again and drops the promise; closed before the answer, it would be an unhandled rejection. */
function hearResubscriptions(redis: Redis): void {
  const subscribe = redis.subscribe.bind(redis);
  const heard = (...args: Parameters<typeof subscribe>): Promise<unknown> => {
    const answer = subscribe(...args);
    answer.catch(() => undefined);
    return answer;
  };
  redis.subscribe = heard as typeof redis.subscribe;
}

/** Logs the loss and the return of a connection, and keeps `error` events from crashing the process. */
export function reportState(redis: Redis, settings: Pick<RedisSettings, 'name' | 'logger'>): void {
  let away = false;
  redis.on('error', (error: Error) => {
    if (away) return;
    away = true;
    settings.logger?.warn({ connection: settings.name, err: error.message }, 'redis connection lost');
  });
  redis.on('ready', () => {
    if (away) settings.logger?.info({ connection: settings.name }, 'redis connection is back');
    away = false;
  });
}

/** Resolves when the connection can take commands; rejects after `timeoutMs`. */
export async function whenReady(redis: Redis, timeoutMs = 10_000): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const ready = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      redis.off('ready', ready);
      reject(new Error(`Redis did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
    redis.once('ready', ready);
  });
}
