import { pino, type Bindings, type DestinationStream, type Logger } from 'pino';
import { loggable } from './loggable.ts';

export type { Logger };

/** Levels from the most to the least talkative. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const bufferBytesMin = 4_096;
const bufferBytesMax = 16 * 1_024 * 1_024;
const flushIntervalMs = 100;

export interface LoggerOptions {
  /** Stands as `name` in each line: the role of the process. */
  readonly name: string;
  readonly level: LogLevel;
  /** Where the lines go; standard output when not given. */
  readonly destination?: DestinationStream;
}

/**
 * A pino logger that writes one JSON object per line. Lines reach standard output at most 100 ms late and at the latest when the
 * process exits; a reader that stalls never blocks the process, beyond 16 MiB of waiting lines new ones are dropped. Fields pass `loggable`.
 */
export function createLogger({ name, level, destination = standardOutput() }: LoggerOptions): Logger {
  const logger = pino(
    {
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: loggable },
      // Errors were reduced before; pino's own serializer would reduce the copy once more and lose its type.
      serializers: { err: (copy: unknown) => copy },
    },
    destination,
  );
  guardChildren(logger);
  return logger;
}

/** pino passes the fields of a line to the formatters, but not those of a child; children inherit this method from their parent. */
function guardChildren(logger: Logger): void {
  const child = Reflect.get(logger, 'child') as (this: unknown, bindings: Bindings, options?: object) => unknown;
  Reflect.set(logger, 'child', function guarded(this: unknown, bindings: Bindings, options?: object) {
    return child.call(this, loggable(bindings), options);
  });
}

function standardOutput(): DestinationStream {
  return pino.destination({ fd: 1, sync: false, minLength: bufferBytesMin, maxLength: bufferBytesMax, periodicFlush: flushIntervalMs });
}
