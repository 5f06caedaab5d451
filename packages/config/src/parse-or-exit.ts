import { ConfigError } from './config-error.ts';
import type { Config, Environment, Shape, ValuesOf } from './define-config.ts';

/** Exit code of a process whose configuration is wrong. */
export const configExitCode = 2;

/** Reads the environment of this process; writes all mistakes as one list to stderr and exits with 2 when there are any. */
export function parseOrExit<S extends Shape>(config: Config<S>, env: Environment = process.env): ValuesOf<S> {
  try {
    return config.parse(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(configExitCode);
  }
}
