/** The one place where the command-line tools write. */

/** Writes one line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one line to standard error. */
export function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A duration as people read it: `340 ms`, `4.2 s`, `3 min 12 s`. */
export function readableDuration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1_000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
