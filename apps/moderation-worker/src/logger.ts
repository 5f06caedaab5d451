import { createLogger, type Logger } from '@skirmish/observability';
import type { ModerationWorkerConfig } from './config.ts';

/** The logger of a moderation worker: JSON lines on standard output, never the text of a message. */
export function createModerationWorkerLogger(config: Pick<ModerationWorkerConfig, 'logLevel'>): Logger {
  return createLogger({ name: 'moderation-worker', level: config.logLevel });
}
