import { Redis } from 'ioredis';
import type { RedisSettings } from './create-redis.ts';
import { createRedis, redisOptions, reportState } from './create-redis.ts';
import type { InboxReader } from './inbox-reader.ts';

export interface AdapterRedisSettings extends Omit<RedisSettings, 'role'> {
  reader: InboxReader;
  /** Longest wait of one read round, milliseconds; the reader's socket is given up after twice as long without data. */
  blockMs: number;
  /** Called for each command of the adapter that failed and that nobody waits for. */
  onDropped: (command: 'publish' | 'subscribe') => void;
}

/** The client that the Socket.IO adapter gets, with the means to end its connections at once. */
export interface AdapterRedis {
  readonly client: Redis;
  /** Status of each connection, under its name in `CLIENT LIST`. */
  states(this: void): Record<string, string>;
  /** Ends the adapter's reader and subscriber without waiting for a parked read. */
  close(this: void): void;
}

/**
 * An ioredis client for `@socket.io/redis-streams-adapter` 0.3.1 whose commands do what a game cluster needs:
 * `xread` is a round of our inbox reader, `xadd` is impossible (only the routing script writes to an inbox), and what the
 * adapter never awaits (`publish`, `subscribe`) cannot reject.
 *
 * The adapter duplicates its client twice, first for its reader, then for its subscriber.
 */
export function createAdapterRedis(settings: AdapterRedisSettings): AdapterRedis {
  const client = createRedis({ ...settings, role: 'command' });
  const duplicates: Redis[] = [];
  client.duplicate = () => {
    const duplicate = duplicates.length === 0 ? createReader(settings) : createSubscriber(settings);
    duplicates.push(duplicate);
    return duplicate;
  };
  client.xadd = () => Promise.reject(new Error('an inbox is written by the routing script only'));
  const publish = client.publish.bind(client);
  client.publish = (channel, message) =>
    publish(channel, message).catch(() => {
      settings.onDropped('publish');
      return 0;
    });
  return {
    client,
    states: () => Object.fromEntries([client, ...duplicates].map(({ options, status }) => [options.connectionName ?? '', status])),
    close: () => {
      for (const duplicate of duplicates) duplicate.disconnect();
      client.disconnect();
    },
  };
}

function createReader(settings: AdapterRedisSettings): Redis {
  const name = `${settings.name}-reader`;
  const redis = new Redis(settings.url, {
    ...redisOptions({ ...settings, name, role: 'worker' }),
    // The only option that heals a half-open connection: a parked read would wait for ever.
    socketTimeout: 2 * settings.blockMs,
  });
  reportState(redis, { ...settings, name });
  const xread = redis.xread.bind(redis);
  const round = async (): Promise<unknown> =>
    settings.reader.round((blockMs, countMax, key, position) =>
      xread('COUNT', countMax, 'BLOCK', blockMs, 'STREAMS', key, position),
    );
  redis.xread = round as typeof redis.xread;
  return redis;
}

function createSubscriber(settings: AdapterRedisSettings): Redis {
  const redis = createRedis({ ...settings, name: `${settings.name}-subscriber`, role: 'subscriber' });
  const subscribe = redis.subscribe.bind(redis);
  const quiet = (...args: Parameters<typeof subscribe>): Promise<unknown> =>
    subscribe(...args).catch(() => {
      settings.onDropped('subscribe');
      return 0;
    });
  redis.subscribe = quiet as typeof redis.subscribe;
  return redis;
}
