import { readFlags, type Flag } from '../flags.ts';
import { explain } from '../trouble.ts';
import { runStages, type Stage } from './stage.ts';

/** A command made of stages: reads its flags, runs its stages until it is told to stop, and sets the exit code (2 for unknown flags). */
export async function runCommand<F extends Record<string, Flag>>(
  command: string,
  flags: F,
  stagesOf: (values: ReturnType<typeof readFlags<F>>) => readonly Stage[],
): Promise<void> {
  try {
    const stages = stagesOf(readFlags(command, flags, process.argv.slice(2)));
    process.exitCode = await runStages(stages, { stop: stopSignal() });
  } catch (error) {
    process.exitCode = explain(error);
  }
  if (process.connected) process.disconnect();
}

/** Aborted by Ctrl-C, by a signal, by the word of the parent, or when the parent is gone. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('message', stop).on('disconnect', stop);
  return controller.signal;
}
