import { type CheckResult, createReporter, type EventTable, type Logger, type Metrics } from '@skirmish/observability';
import type { RealmId } from '@skirmish/protocol';
import { type AdapterRedis, addBreaker, type Breaker, type InboxReader, type Redis } from '@skirmish/redis';
import type { Incarnation } from './incarnation.ts';

/** Without a finished read round for this long a gateway is not ready, milliseconds. */
const silentMsMax = 10_000;

/** After how long without an answer a gateway opens a connection anew, milliseconds: twice as long as its reader may be parked. */
export const givenUpAfterMs = (readBlockMs: number): number => Math.max(2 * readBlockMs, 1_500);

export interface WatchedTransport {
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly adapterRedis: AdapterRedis;
  readonly breaker: Breaker;
  readonly reader: InboxReader;
  readonly incarnation: Incarnation;
}

/** What `/health` says of the way to Redis and of the reader. */
export function healthOf({ redis, subscriber, adapterRedis, breaker, reader, incarnation }: WatchedTransport): object {
  const own = Object.fromEntries([redis, subscriber].map(({ options, status }) => [options.connectionName ?? '', status]));
  const { position, silentMs, lagMs } = reader;
  return {
    registered: incarnation.registered,
    renewedAgoMs: Math.round(incarnation.renewedAgoMs),
    reader: { position, silentMs: Math.round(silentMs), lagMs: Math.round(lagMs), lastProgressAtMs: Math.round(Date.now() - silentMs) },
    breaker: { state: breaker.state, opened: breaker.opened, refused: breaker.refused, inFlight: breaker.inFlight },
    connections: { ...own, ...adapterRedis.states() },
  };
}

/** Whether players of the realm can be served now. It is well again by itself as soon as its cause is gone. */
export function judgeTransport({ redis, breaker, reader, incarnation }: WatchedTransport, details: object): CheckResult {
  const refuse = (reason: string): CheckResult => ({ ok: false, reason, details });
  if (redis.status !== 'ready') return refuse('Redis is not reachable');
  if (breaker.state !== 'closed') return refuse('Redis does not answer');
  if (!incarnation.registered) return refuse('not registered');
  if (incarnation.youngForMs > 0) return refuse('the data set of Redis is new');
  if (reader.silentMs > silentMsMax) return refuse('the inbox makes no progress');
  return { ok: true, details };
}

/** The same as figures for alerts: brings them up to date at each call. */
export function gaugeTransport(metrics: Metrics, realm: RealmId, reader: InboxReader): () => void {
  const lag = metrics.gauge({ name: 'inbox_reader_lag_seconds', help: 'How far delivery is behind the end of the inbox', labels: ['realm'] });
  return () => { lag.set({ realm }, reader.lagMs / 1000); };
}

const breakerEvents = {
  'redis:silent': { message: 'Redis is connected and does not answer: commands are refused at once', level: 'error', labels: ['realm', 'connection'] },
  'redis:answers': { message: 'Redis answers again', level: 'info', labels: ['realm', 'connection'] },
} as const satisfies EventTable;

/** Adds a breaker to a connection of the edge and reports what it does. */
export function guardRedis(redis: Redis, parts: { realm: RealmId; connection: 'bus' | 'lanes' | 'service'; logger: Logger; metrics: Metrics }): Breaker {
  const { realm, connection, logger, metrics } = parts;
  const report = createReporter({ logger, metrics, events: breakerEvents });
  const gauge = metrics.gauge({ name: 'redis_breaker_open', help: '1 while commands are refused because Redis is connected and silent', labels: ['realm', 'connection'] });
  gauge.set({ realm, connection }, 0);
  return addBreaker(redis, {
    onChange: (state) => {
      gauge.set({ realm, connection }, state === 'open' ? 1 : 0);
      report(state === 'open' ? 'redis:silent' : 'redis:answers', { realm, connection });
    },
  });
}
