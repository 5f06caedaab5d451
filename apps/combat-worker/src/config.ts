import { type ConfigValues, defineConfig, milliseconds, variables, withDefault } from '@skirmish/config';

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
  concurrency: variables.concurrency,
  laneLockMs: variables.laneLockMs,
  turnTimeoutMs: milliseconds('TURN_TIMEOUT_MS', 'Time for a turn', [100, 30_000, 600_000]),
  sweepIntervalMs: milliseconds('SWEEP_INTERVAL_MS', 'Time between two searches for overdue turns', [50, 1_000, 60_000]),
  sweepGraceMs: milliseconds('SWEEP_GRACE_MS', 'How long a turn must be overdue before its timer counts as lost', [0, 2_000, 60_000]),
  epochGraceMs: variables.epochGraceMs,
  resumeWindowMs: variables.resumeWindowMs,
  inboxRetentionMs: variables.inboxRetentionMs,
  backendEventsRetentionMs: variables.backendEventsRetentionMs,
  backendEventsMax: variables.backendEventsMax,
});

/** The typed configuration of a combat worker. */
export type CombatWorkerConfig = ConfigValues<typeof config>;
