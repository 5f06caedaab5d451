/** The part of a logger that the lanes need. No record, body or text of a user is ever passed to it. */
export interface LaneLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For producers in tests and scripts that have no logger. */
export const silentLogger: LaneLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

const repeatAfterMs = 5000;

/** Passes each message on at most once per five seconds: an outage repeats the same error hundreds of times. */
export function throttled(report: (message: string) => void, nowMs: () => number = Date.now): (message: string) => void {
  const lastAtMs = new Map<string, number>();
  return (message) => {
    const now = nowMs();
    if (now - (lastAtMs.get(message) ?? -Infinity) < repeatAfterMs) return;
    if (lastAtMs.size >= 100) lastAtMs.clear();
    lastAtMs.set(message, now);
    report(message);
  };
}
