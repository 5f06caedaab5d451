import { type ConfigValues, defineConfig, variables, withDefault } from '@skirmish/config';

/** Every environment variable of a moderation worker. */
export const config = defineConfig({
  nodeEnv: variables.nodeEnv,
  logLevel: variables.logLevel,
  internalHost: variables.internalHost,
  internalPort: withDefault(variables.internalPort, '3003'),
  redisUrl: variables.redisUrl,
  queueRedisUrl: variables.queueRedisUrl,
  databaseUrl: variables.databaseUrl,
  databasePoolMax: variables.databasePoolMax,
  realms: variables.realms,
  concurrency: variables.concurrency,
  laneLockMs: variables.laneLockMs,
  epochGraceMs: variables.epochGraceMs,
  resumeWindowMs: variables.resumeWindowMs,
  inboxRetentionMs: variables.inboxRetentionMs,
});

/** The typed configuration of a moderation worker. */
export type ModerationWorkerConfig = ConfigValues<typeof config>;
