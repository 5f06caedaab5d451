import { setTimeout as sleep } from 'node:timers/promises';

/** How long and how often `eventually` looks. */
export interface EventuallyOptions {
  timeoutMs?: number;
  intervalMs?: number;
  /** What is waited for, for the error message. */
  what?: string;
}

/**
 * Calls `probe` until it neither throws nor returns something falsy, and resolves to that value; after `timeoutMs` (default 15,000) it
 * rejects with what was waited for and the last failure. A probe that returns nothing counts as passed when it does not throw.
 */
export async function eventually<T>(probe: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeoutMs = 15_000, intervalMs = 20, what = 'the condition' } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value === undefined || Boolean(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) throw timedOut(what, timeoutMs, last);
    await sleep(intervalMs);
  }
}

function timedOut(what: string, timeoutMs: number, last: unknown): Error {
  const reason = last instanceof Error ? last.message : `last value: ${String(last)}`;
  return new Error(`${what} did not come true within ${timeoutMs} ms (${reason})`, { cause: last });
}
