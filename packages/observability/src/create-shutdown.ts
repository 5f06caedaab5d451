import type { Logger } from './create-logger.ts';

export type StepOutcome = 'done' | 'failed' | 'timed-out';

export interface ShutdownReport {
  readonly reason: string;
  readonly durationMs: number;
  readonly steps: readonly { readonly name: string; readonly outcome: StepOutcome; readonly durationMs: number }[];
}

/** Stops one thing; `signal` is aborted when its time is over, and then nobody waits for it any more. */
export type Stop = (signal: AbortSignal) => unknown;

export interface Shutdown {
  /**
   * Adds a step; steps run one after the other in the order of registration. A step that comes while the shutdown runs is run
   * after the others, one that comes after it is run at once: a start that was overtaken by its stop leaves nothing open.
   */
  step(name: string, timeoutMs: number, stop: Stop): void;
  /** Runs every step, also after one that fails or exceeds its time; never rejects; all callers share one run. */
  run(reason: string): Promise<ShutdownReport>;
  /** From now on each step, also the one that runs, has at most 200 ms: somebody will not wait. Harmless before and after a run. */
  hurry(): void;
  /** The sum of the limits of all steps in milliseconds: the longest that a shutdown can take. */
  timeoutMs(): number;
}

type Step = { readonly name: string; readonly timeoutMs: number; readonly stop: Stop };

/** Limit of each step once it is hurried, milliseconds. */
const hurriedMs = 200;

/** An ordered shutdown in which every step has a name and a limit. */
export function createShutdown({ logger }: { readonly logger: Logger }): Shutdown {
  const steps: Step[] = [];
  let running: Promise<ShutdownReport> | null = null;
  let over = false;
  const haste = new AbortController();

  async function runAll(reason: string): Promise<ShutdownReport> {
    const startedAtMs = performance.now();
    const outcomes: ShutdownReport['steps'][number][] = [];
    logger.info({ reason, steps: steps.map(({ name }) => name) }, 'shutdown started');
    // The array may grow while it is walked.
    for (const step of steps) outcomes.push(await runStep(step, logger, haste.signal));
    over = true;
    const report = { reason, durationMs: since(startedAtMs), steps: outcomes };
    logger.info({ ...report }, 'shutdown finished');
    return report;
  }

  return {
    step(name, timeoutMs, stop) {
      const step = { name, timeoutMs, stop };
      steps.push(step);
      if (over) void runStep(step, logger, haste.signal);
    },
    run(reason) {
      running ??= runAll(reason);
      return running;
    },
    hurry: () => {
      if (running && !over && !haste.signal.aborted) logger.warn('the shutdown is hurried');
      if (running) haste.abort();
    },
    timeoutMs: () => steps.reduce((sum, { timeoutMs }) => sum + timeoutMs, 0),
  };
}

async function runStep({ name, timeoutMs, stop }: Step, logger: Logger, haste: AbortSignal): Promise<ShutdownReport['steps'][number]> {
  const startedAtMs = performance.now();
  const controller = new AbortController();
  const { promise: late, resolve } = Promise.withResolvers<'timed-out'>();
  const limit = (ms: number): NodeJS.Timeout => setTimeout(() => {
    controller.abort();
    resolve('timed-out');
  }, ms);
  let timer = limit(haste.aborted ? Math.min(timeoutMs, hurriedMs) : timeoutMs);
  // A step that spreads its work over time is told at once, and has a moment to end it.
  const hurry = (): void => {
    clearTimeout(timer);
    timer = limit(hurriedMs);
    controller.abort();
  };
  haste.addEventListener('abort', hurry, { once: true });
  const attempt = async (): Promise<unknown> => stop(controller.signal);
  const stopped = attempt().then(
    () => 'done' as const,
    (err: unknown) => {
      logger.error({ step: name, err }, 'a shutdown step failed');
      return 'failed' as const;
    },
  );
  const outcome = await Promise.race([stopped, late]);
  clearTimeout(timer);
  haste.removeEventListener('abort', hurry);
  if (outcome === 'timed-out') logger.error({ step: name, timeoutMs }, 'a shutdown step took too long and was left');
  return { name, outcome, durationMs: since(startedAtMs) };
}

function since(startedAtMs: number): number {
  return Math.round(performance.now() - startedAtMs);
}
