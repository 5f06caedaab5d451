import { type ConfigValues, defineConfig, variables, withDefault } from '@skirmish/config';
import { webhookMistake, webhookVariables } from './webhook-variables.ts';

const shape = {
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
  backendEventsRetentionMs: variables.backendEventsRetentionMs,
  backendEventsMax: variables.backendEventsMax,
  ...webhookVariables,
} as const;

/** Every environment variable of a moderation worker. */
export const config = defineConfig(shape, [{ keys: ['nodeEnv', 'webhookUrl', 'webhookSecret', 'webhookPrivateAddresses'], check: webhookMistake }]);

/** The typed configuration of a moderation worker. */
export type ModerationWorkerConfig = ConfigValues<typeof config>;
