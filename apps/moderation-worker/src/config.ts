import { type ConfigValues, defineConfig, integer, variables, withDefault } from '@skirmish/config';

const milliseconds = (name: string, description: string, [min, standard, max]: readonly [number, number, number]) =>
  integer(name, { description: `${description}, milliseconds`, min, max, default: standard });

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
  concurrency: integer('CONCURRENCY', { description: 'Lanes that are stepped at the same time, per realm', min: 1, max: 500, default: 20 }),
  laneLockMs: milliseconds('LANE_LOCK_MS', 'After the death of a worker its lanes go on within this time and a second', [500, 3_000, 60_000]),
  epochGraceMs: milliseconds('EPOCH_GRACE_MS', 'Time for re-registration after Redis came back empty', [100, 5_000, 60_000]),
  resumeWindowMs: milliseconds('RESUME_WINDOW_MS', 'How long a lost connection can be resumed', [1_000, 120_000, 3_600_000]),
  inboxRetentionMs: milliseconds('INBOX_RETENTION_MS', 'How long entries stay in an inbox', [1_000, 60_000, 3_600_000]),
});

/** The typed configuration of a moderation worker. */
export type ModerationWorkerConfig = ConfigValues<typeof config>;
