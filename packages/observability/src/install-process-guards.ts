import type { Health } from './create-health.ts';
import type { Logger } from './create-logger.ts';
import type { Shutdown } from './create-shutdown.ts';

export interface ProcessGuardsOptions {
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  /** Made not ready before the first step of the shutdown runs. */
  readonly health?: Health;
  /** Longest shutdown after a fault of our own in milliseconds; default 5,000. */
  readonly faultTimeoutMs?: number;
}

const marginMs = 1_000;
const flushTimeoutMs = 500;

/**
 * Ends the process in order. SIGTERM, SIGINT and the end of the parent's IPC channel stop it with code 0; an unhandled rejection or
 * exception is logged and stops it with code 1. A second signal hurries the stop: 200 ms for each step that is left. The process is gone
 * at the latest 1 s after the limits of all steps. Answers a function that takes the guards away again.
 */
export function installProcessGuards({ logger, shutdown, health, faultTimeoutMs = 5_000 }: ProcessGuardsOptions): () => void {
  let exitCode: number | null = null;
  let signals = 0;

  function end(reason: string, code: 0 | 1): void {
    const first = exitCode === null;
    exitCode = Math.max(exitCode ?? 0, code);
    if (!first) return;
    health?.drain(reason);
    const limitMs = code === 0 ? shutdown.timeoutMs() : Math.min(shutdown.timeoutMs(), faultTimeoutMs);
    setTimeout(() => {
      logger.fatal({ reason, limitMs }, 'the shutdown did not end within its limits');
      void leave(1);
    }, limitMs + marginMs);
    void shutdown.run(reason).then(() => leave(exitCode ?? code));
  }

  async function leave(code: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    setTimeout(() => resolve(undefined), flushTimeoutMs);
    await Promise.race([late, new Promise<void>((done) => logger.flush(() => done()))]);
    process.exit(code);
  }

  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    end(signal, 0);
    if (signals > 1) shutdown.hurry();
  };
  const onDisconnect = (): void => end('the parent process is gone', 0);
  const onFault = (err: unknown, origin: string): void => {
    logger.fatal({ err, origin }, 'a fault that nobody handled');
    end(origin, 1);
  };
  const onRejection = (reason: unknown): void => onFault(reason, 'unhandledRejection');

  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  process.on('uncaughtException', onFault).on('unhandledRejection', onRejection);
  if (process.send !== undefined) process.on('disconnect', onDisconnect);
  if (process.send !== undefined && !process.connected) onDisconnect();
  return () => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('disconnect', onDisconnect);
    process.off('uncaughtException', onFault).off('unhandledRejection', onRejection);
  };
}
