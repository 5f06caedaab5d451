import { createLogger, type Logger } from '@skirmish/observability';
import type { CombatWorkerConfig } from './config.ts';

/** The logger of a combat worker: JSON lines on standard output. */
export function createCombatWorkerLogger(config: Pick<CombatWorkerConfig, 'logLevel'>): Logger {
  return createLogger({ name: 'combat-worker', level: config.logLevel });
}
