import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Resolves after `durationMs`. Only where time itself is the subject: how long an outage lasts, how long a step works, how fast a sender
 * sends. To wait until something has happened, use `eventually`. `_why` is for the reader.
 *
 * @example await timePasses(10_000, 'the outage');
 */
export function timePasses(durationMs: number, _why: string): Promise<void> {
  return sleep(durationMs);
}
