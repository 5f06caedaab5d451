import { complain, say } from './terminal.ts';

/** Why something was given up: somebody asked for the end. */
export class StopRequested extends Error {}

const secondAfterMs = 1_000;

/**
 * Returns a signal that is aborted when Ctrl-C is pressed, on SIGTERM and SIGHUP, and when the process that started us asks for it
 * or dies. Ctrl-C a second time ends at once: servers and apps then follow by themselves.
 */
export function stopRequest(): AbortSignal {
  const controller = new AbortController();
  let askedAt = 0;
  const stop = (): void => {
    if (controller.signal.aborted) return;
    askedAt = performance.now();
    say('stopping … (Ctrl-C again to give up waiting)');
    controller.abort(new StopRequested('stopped'));
  };
  process.on('SIGINT', () => {
    // npm passes on the Ctrl-C that we have got already: only a later one is a second one.
    if (controller.signal.aborted && performance.now() - askedAt > secondAfterMs) {
      complain('not waiting any longer');
      process.exit(130);
    }
    stop();
  });
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  if (process.channel !== undefined) {
    process.on('message', (message: { type?: string }) => {
      if (message.type === 'stop') stop();
    });
    process.on('disconnect', stop);
    process.channel.unref();
  }
  return controller.signal;
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
