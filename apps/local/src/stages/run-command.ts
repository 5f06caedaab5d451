import { FlagError, readFlags, type Flag } from '../flags.ts';
import { complain } from '../terminal.ts';
import { runStages, type Stage } from './stage.ts';

/** A command made of stages: reads its flags, runs its stages and sets the exit code (2 for unknown flags). */
export async function runCommand<F extends Record<string, Flag>>(
  command: string,
  flags: F,
  stagesOf: (values: ReturnType<typeof readFlags<F>>) => Promise<readonly Stage[]> | readonly Stage[],
): Promise<void> {
  try {
    process.exitCode = await runStages(await stagesOf(readFlags(command, flags, process.argv.slice(2))));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    complain(error.message);
    process.exitCode = 2;
  }
}
