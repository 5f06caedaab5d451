import { readFlags, type Flag } from '../flags.ts';
import { explain } from '../trouble.ts';
import { runStages, type Stage } from './stage.ts';

type Values<F extends Record<string, Flag>> = ReturnType<typeof readFlags<F>>;

/** A command made of stages: reads its flags, runs its stages until it is told to stop, and sets the exit code (2 for unknown flags). */
export async function runCommand<F extends Record<string, Flag>>(command: string, flags: F, stagesOf: (values: Values<F>) => readonly Stage[]): Promise<void> {
  await asCommand(command, flags, (values, stop) => runStages(stagesOf(values), { stop }));
}

/** A command: reads its flags, does its work until it is told to stop, and sets the exit code that comes of it (2 for unknown flags). */
export async function asCommand<F extends Record<string, Flag>>(command: string, flags: F, work: (values: Values<F>, stop: AbortSignal) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work(readFlags(command, flags, process.argv.slice(2)), stopSignal());
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
