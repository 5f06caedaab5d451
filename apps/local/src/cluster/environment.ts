import { localSecrets } from '../local-folder.ts';

export interface Addresses {
  redisUrl: string;
  queueRedisUrl: string;
  databaseUrl: string;
}

/**
 * The environment of the apps: that of `npm start`, so that any of their variables can be given to it, and over it what this
 * cluster decides: addresses, ports, development mode. The secret is one that this machine keeps unless another one is given.
 */
export function environmentOf(folder: string, realms: readonly string[], port: number | string, addresses: Addresses): Record<string, string> {
  const given = Object.entries(process.env).filter(([name, value]) => value !== undefined && !/^(npm_|NODE_OPTIONS$)/i.test(name));
  return {
    JWT_SECRET: localSecrets(folder).jwtSecret,
    LOG_LEVEL: 'info',
    // A developer's machine does other things as well: how late an event loop is says nothing about the players here.
    EVENT_LOOP_DELAY_MAX_MS: '10000',
    DRAIN_TIMEOUT_MS: '3000',
    SOCKET_CORS_ORIGIN: ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${port}`).join(),
    ...(Object.fromEntries(given) as Record<string, string>),
    NODE_ENV: 'development',
    SOCKET_HOST: '127.0.0.1',
    INTERNAL_HOST: '127.0.0.1',
    REALMS: realms.join(),
    REDIS_URL: addresses.redisUrl,
    QUEUE_REDIS_URL: addresses.queueRedisUrl,
    DATABASE_URL: addresses.databaseUrl,
  };
}
