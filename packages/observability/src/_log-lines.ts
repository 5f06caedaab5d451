import { createLogger, type Logger } from './create-logger.ts';

/** A logger at level trace whose lines a test can read. */
export function logLines(): { logger: Logger; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const logger = createLogger({ name: 'test', level: 'trace', destination: { write: (line) => void written.push(line) } });
  return { logger, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
