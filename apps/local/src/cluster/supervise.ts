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
  const keeper = new Keeper(options);
  await keeper.start();
  return {
    name: options.name,
    current: () => keeper.current,
    restart: () => keeper.restart(),
    stop: (timeoutMs) => keeper.stop(timeoutMs),
  };
}

class Keeper<R extends Running> {
  readonly #options: Required<SuperviseOptions<R>>;
  readonly #ending = new AbortController();
  #kept: Promise<void> = Promise.resolve();
  /** Somebody asked for a new start, so it is neither reported as a death nor waited for. */
  #wanted = false;
  #waitMs: number;
  current: R | null = null;

  constructor(options: SuperviseOptions<R>) {
    this.#options = { backoffMs: 200, backoffMaxMs: 10_000, steadyMs: 30_000, ...options };
    this.#waitMs = this.#options.backoffMs;
  }

  async start(): Promise<void> {
    const first = await this.#options.launch(this.#ending.signal);
    this.current = first;
    this.#kept = this.#keep(first);
  }

  async restart(): Promise<void> {
    this.#wanted = true;
    await this.current?.stop(10_000);
  }

  async stop(timeoutMs: number): Promise<void> {
    this.#ending.abort();
    const gone = Promise.all([this.current?.stop(timeoutMs), this.#kept]);
    await Promise.race([gone, sleep(timeoutMs + 500, undefined, { ref: false })]);
  }

  #isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  async #keep(first: R): Promise<void> {
    const { name, report, onChange, backoffMs, steadyMs } = this.#options;
    for (let running: R | null = first; running !== null; running = await this.#again()) {
      const startedAt = performance.now();
      const code = await running.exited;
      this.current = null;
      onChange();
      if (performance.now() - startedAt > steadyMs) this.#waitMs = backoffMs;
      if (!this.#wanted && !this.#isEnding()) report(`${name} ended (${code === null ? 'by a signal' : `code ${code}`}); starting it again`);
    }
  }

  async #again(): Promise<R | null> {
    const { backoffMs, backoffMaxMs } = this.#options;
    while (!this.#isEnding()) {
      await this.#pause();
      this.#waitMs = this.#wanted ? backoffMs : Math.min(this.#waitMs * 2, backoffMaxMs);
      this.#wanted = false;
      const started = this.#isEnding() ? null : await this.#attempt();
      if (started !== null) return started;
    }
    return null;
  }

  /** Ends early when somebody wants it at once, or no more. */
  async #pause(): Promise<void> {
    const until = performance.now() + this.#waitMs;
    while (!this.#wanted && !this.#isEnding() && performance.now() < until) await sleep(20);
  }

  async #attempt(): Promise<R | null> {
    const { name, report, onChange, launch } = this.#options;
    let started: R;
    try {
      started = await launch(this.#ending.signal);
    } catch (error) {
      if (!this.#isEnding()) report(`${name} could not be started again: ${error instanceof Error ? firstLines(error.message) : String(error)}`);
      return null;
    }
    if (this.#isEnding()) {
      await started.stop(1_000);
      return null;
    }
    this.current = started;
    report(`${name} runs again (process ${started.pid})`);
    onChange();
    return started;
  }
}

const firstLines = (text: string): string => text.split('\n').slice(0, 6).join('\n');
