const positionIntervalMsMax = 30_000;
const positionIntervalMsMin = 250;
const slackMs = 5_000;

/**
 * How often a connected client is told a position even when nothing happens to it, milliseconds: a quarter of the resume window, at most 30 s.
 * So the position that a client comes back with is never older than this when its connection ends.
 */
export function positionIntervalMs(resumeWindowMs: number): number {
  return Math.min(Math.max(resumeWindowMs / 4, positionIntervalMsMin), positionIntervalMsMax);
}

/** How long room logs keep an event, milliseconds: whoever comes back within the window finds everything after its position. */
export function logRetentionMs(resumeWindowMs: number): number {
  return Math.ceil(resumeWindowMs + positionIntervalMs(resumeWindowMs) + slackMs);
}

/** Life of a session record from its last refresh on, milliseconds; refreshed every {@link positionIntervalMs}. */
export function sessionTtlMs(resumeWindowMs: number): number {
  return Math.ceil(resumeWindowMs + 2 * positionIntervalMs(resumeWindowMs));
}
