import { readableDuration, say } from './terminal.ts';

const stillEveryMs = 10_000;

/** Says what is being done, that it still is, and how long it took. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const duration = (): string => readableDuration(performance.now() - startedAt);
  say(`· ${what} …`);
  const timer = setInterval(() => say(`· ${what} … still at it after ${duration()}`), stillEveryMs);
  try {
    const result = await work();
    say(`✓ ${what}: ${duration()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
