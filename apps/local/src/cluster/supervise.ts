import { setTimeout as sleep } from 'node:timers/promises';

/** A process that runs now. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<number | null>;
  stop(timeoutMs: number): Promise<unknown>;
}

export interface SuperviseOptions<R extends Running> {
  name: string;
  /** Starts it and resolves when it is ready; the signal says that nobody wants it any more. */
  launch: (signal: AbortSignal) => Promise<R>;
  /** Called whenever it has become ready, has ended, or is about to be started again. */
  onChange: () => void;
  report: (line: string) => void;
  /** First wait before a new start; doubled up to `backoffMaxMs` while it keeps dying within `steadyMs`. */
  backoffMs?: number;
  backoffMaxMs?: number;
  steadyMs?: number;
}

/** A process that is started again whenever it ends by itself. */
export interface Supervised<R extends Running> {
  readonly name: string;
  /** Null while it is down. */
  current(): R | null;
  /** Stops it in order and starts it anew. */
  restart(): Promise<void>;
  /** Ends it for good; resolves when it is gone, at the latest a moment after `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
}

/** Starts a process, resolves when it is ready for the first time (rejects when that fails), and keeps it running from then on. */
export async function supervise<R extends Running>(options: SuperviseOptions<R>): Promise<Supervised<R>> {
  const { name, report, onChange, backoffMs = 200, backoffMaxMs = 10_000, steadyMs = 30_000 } = options;
  const ending = new AbortController();
  let current: R | null = await options.launch(ending.signal);
  let wanted = false;
  let waitMs = backoffMs;

  const keep = async (first: R): Promise<void> => {
    for (let running: R | null = first; running !== null; running = await again()) {
      const startedAt = performance.now();
      const code = await running.exited;
      current = null;
      onChange();
      if (isEnding()) return;
      if (performance.now() - startedAt > steadyMs) waitMs = backoffMs;
      if (!wanted) report(`${name} ended (${code === null ? 'by a signal' : `code ${code}`}); starting it again`);
    }
  };
  const isEnding = (): boolean => ending.signal.aborted;
  const again = async (): Promise<R | null> => {
    while (!isEnding()) {
      await pause(waitMs);
      waitMs = wanted ? backoffMs : Math.min(waitMs * 2, backoffMaxMs);
      wanted = false;
      if (isEnding()) break;
      const started = await attempt();
      if (started !== null) return started;
    }
    return null;
  };
  /** Ends early when somebody wants it at once, or no more. */
  const pause = async (timeMs: number): Promise<void> => {
    const until = performance.now() + timeMs;
    while (!wanted && !isEnding() && performance.now() < until) await sleep(Math.min(50, timeMs));
  };
  const attempt = async (): Promise<R | null> => {
    try {
      current = await options.launch(ending.signal);
    } catch (error) {
      if (!isEnding()) report(`${name} could not be started again: ${error instanceof Error ? firstLines(error.message) : String(error)}`);
      return null;
    }
    if (isEnding()) {
      await current.stop(1_000);
      return null;
    }
    report(`${name} runs again (process ${current.pid})`);
    onChange();
    return current;
  };
  const kept = keep(current);

  return {
    name,
    current: () => current,
    restart: async () => {
      wanted = true;
      await current?.stop(10_000);
    },
    stop: async (timeoutMs) => {
      ending.abort();
      await Promise.race([Promise.all([current?.stop(timeoutMs), kept]), sleep(timeoutMs + 500, undefined, { ref: false })]);
    },
  };
}

const firstLines = (text: string): string => text.split('\n').slice(0, 6).join('\n');
