import { type ConfigValues, defineConfig, integer, variables, withDefault } from '@skirmish/config';

const milliseconds = (name: string, description: string, [min, standard, max]: readonly [number, number, number]) =>
  integer(name, { description: `${description}, milliseconds`, min, max, default: standard });

/** Every environment variable of a combat worker. */
export const config = defineConfig({
  nodeEnv: variables.nodeEnv,
  logLevel: variables.logLevel,
  internalHost: variables.internalHost,
  internalPort: withDefault(variables.internalPort, '3002'),
  redisUrl: variables.redisUrl,
  queueRedisUrl: variables.queueRedisUrl,
  databaseUrl: variables.databaseUrl,
  databasePoolMax: variables.databasePoolMax,
  realms: variables.realms,
  concurrency: integer('CONCURRENCY', { description: 'Lanes that are stepped at the same time, per realm', min: 1, max: 500, default: 20 }),
  laneLockMs: milliseconds('LANE_LOCK_MS', 'After the death of a worker its lanes go on within this time and a second', [500, 3_000, 60_000]),
  turnTimeoutMs: milliseconds('TURN_TIMEOUT_MS', 'Time for a turn', [100, 30_000, 600_000]),
  sweepIntervalMs: milliseconds('SWEEP_INTERVAL_MS', 'Time between two searches for overdue turns', [50, 1_000, 60_000]),
  sweepGraceMs: milliseconds('SWEEP_GRACE_MS', 'How long a turn must be overdue before its timer counts as lost', [0, 2_000, 60_000]),
  epochGraceMs: milliseconds('EPOCH_GRACE_MS', 'Time for re-registration after Redis came back empty', [100, 5_000, 60_000]),
  resumeWindowMs: milliseconds('RESUME_WINDOW_MS', 'How long a lost connection can be resumed', [1_000, 120_000, 3_600_000]),
  inboxRetentionMs: milliseconds('INBOX_RETENTION_MS', 'How long entries stay in an inbox', [1_000, 60_000, 3_600_000]),
});

/** The typed configuration of a combat worker. */
export type CombatWorkerConfig = ConfigValues<typeof config>;
