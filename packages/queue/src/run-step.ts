import { Rejection, refusals } from '@skirmish/protocol';

/** How one run of a step ended. Only `rule-error` is a try; the other errors are the surroundings' fault. */
export type StepResult =
  | { outcome: 'done' }
  | { outcome: 'rule-error'; error: Error }
  | { outcome: 'infrastructure'; error: Error }
  | { outcome: 'timeout'; error: Error };

export class StepTimeout extends Error {
  override readonly name = 'StepTimeout';
}

/**
 * Runs one step with a time limit. The step's signal fires at the limit or when `outer` fires; a step that goes on all the
 * same is left behind, and the compare at the pop keeps it harmless. Never rejects.
 */
export async function runStep(
  step: (signal: AbortSignal) => Promise<void>,
  o: { timeoutMs: number; outer?: AbortSignal | undefined; isInfrastructureError: (error: unknown) => boolean },
): Promise<StepResult> {
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(new StepTimeout(`the step did not end within ${o.timeoutMs} ms`));
  }, o.timeoutMs);
  const signal = o.outer ? AbortSignal.any([o.outer, limit.signal]) : limit.signal;
  try {
    // A signal that has fired already tells nobody any more: the step would run without any limit.
    signal.throwIfAborted();
    await raceSignal(Promise.resolve().then(() => step(signal)), signal);
    return { outcome: 'done' };
  } catch (thrown) {
    const error = asError(thrown);
    if (limit.signal.aborted) return { outcome: 'timeout', error };
    if (signal.aborted || isTransient(error) || o.isInfrastructureError(thrown)) return { outcome: 'infrastructure', error };
    return { outcome: 'rule-error', error };
  } finally {
    clearTimeout(timer);
  }
}

async function raceSignal(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      reject(asError(signal.reason));
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}

/** Errors that say "not now" whoever throws them: a refusal with a retry, or a Redis connection that is away. */
function isTransient(error: Error): boolean {
  if (error instanceof Rejection) return refusals[error.code].retry === 'later' && error.code.startsWith('server/');
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'AbortError') return true;
  return /^(Connection is closed|Stream isn't writeable|Command timed out|connect E|read E|LOADING |READONLY )/.test(error.message);
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`);
}
