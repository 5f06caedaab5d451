import { pino, type Bindings, type DestinationStream, type Logger } from 'pino';
import { createLineWriter } from './create-line-writer.ts';
import { loggable } from './loggable.ts';

export type { Logger };

/** Levels from the most to the least talkative. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  /** Stands as `name` in each line: the role of the process. */
  readonly name: string;
  readonly level: LogLevel;
  /** Where the lines go; standard output when not given. */
  readonly destination?: DestinationStream;
}

/**
 * A pino logger that writes one JSON object per line; its fields pass `loggable`. Lines are written at once. A reader that stalls never blocks the process: beyond 16 MiB of waiting lines new ones are dropped and counted.
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

/** Node makes a pipe or socket of standard output non-blocking when its stream is first asked for; the writer depends on that. */
function standardOutput(): DestinationStream {
  return createLineWriter({ fd: process.stdout.fd });
}
