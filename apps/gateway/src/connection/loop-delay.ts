import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopDelay {
  /** The 99th percentile of the last 3 to 6 seconds, milliseconds; 0 in the first 3. */
  p99Ms(): number;
  stop(): void;
}

const resolutionMs = 20;
const windowMs = 6_000;

/**
 * Watches the event loop with two histograms that begin anew in turn, so that there is always one of 3 s or more: in it a
 * single pause, of a garbage collection say, is no percentile yet.
 */
export function watchLoopDelay(): LoopDelay {
  const histograms = [1, 2].map(() => monitorEventLoopDelay({ resolution: resolutionMs }));
  for (const histogram of histograms) histogram.enable();
  let isYoung = true;
  // The older one stands first.
  const timer = setInterval(() => {
    const [older, younger] = histograms;
    if (!older || !younger) return;
    isYoung = false;
    older.reset();
    histograms.splice(0, 2, younger, older);
  }, windowMs / 2);
  return {
    // The histogram holds the time between two of its timers.
    p99Ms: () => (isYoung ? 0 : Math.max(0, (histograms[0]?.percentile(99) ?? 0) / 1e6 - resolutionMs)),
    stop: () => {
      clearInterval(timer);
      for (const histogram of histograms) histogram.disable();
    },
  };
}
