import { setTimeout as delay } from 'node:timers/promises';
import { Rejection } from '@skirmish/protocol';
import { RedisSilentError } from '@skirmish/redis';

/** What came of one call of a script that emits; a failed one may have happened all the same. */
export type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly retryAfterMs: number; readonly cause: unknown };

/**
 * Calls `once` until it succeeds, for at most `forMs` milliseconds, with growing pauses; then rejects with `server/unavailable`. At once when a
 * breaker refuses: it stands for "not now". Only for what may be done twice.
 */
export async function tryAgain<T>(forMs: number, once: () => Promise<Attempt<T>>): Promise<T> {
  const giveUpAt = performance.now() + forMs;
  for (let attempt = 1; ; attempt += 1) {
    const result = await once();
    if (result.ok) return result.value;
    const waitMs = Math.min(result.retryAfterMs, 50 * 2 ** Math.min(attempt, 5));
    if (performance.now() + waitMs > giveUpAt || result.cause instanceof RedisSilentError) {
      throw new Rejection('server/unavailable', { cause: result.cause, retryAfterMs: Math.ceil(result.retryAfterMs) });
    }
    await delay(waitMs);
  }
}
