import { readableDuration, say } from '../terminal.ts';

/** What a stage found. A stage that is one check counts as one. */
export interface Count {
  passed: number;
  failed: number;
  /** What failed, each with its first reason: repeated at the end of the run, where somebody who reads only the end sees it. */
  failures?: readonly string[];
}

/** So many failures are named at the end; the rest is counted. */
const namedMax = 20;

/** One part of a run, for example the types or the unit tests. */
export interface Stage {
  name: string;
  /** Resolves to what it found; a rejection counts as one failure. Ends early when `stop` is aborted. */
  run(stop: AbortSignal): Promise<Count>;
}

export interface RunOptions {
  stop?: AbortSignal;
  write?: (line: string) => void;
}

/**
 * Runs the stages one after the other, also after one failed, says how long each took, and ends with the line `N passed, N failed`.
 * Returns the exit code: 1 when anything failed or nothing passed, 130 when it was stopped.
 */
export async function runStages(stages: readonly Stage[], { stop = new AbortController().signal, write = say }: RunOptions = {}): Promise<0 | 1 | 130> {
  const total: Count = { passed: 0, failed: 0 };
  const summary: string[] = [];
  const failures: string[] = [];
  const startedAt = performance.now();
  for (const stage of stages) {
    write(`\n== ${stage.name}`);
    const stageStartedAt = performance.now();
    const count = await countOf(stage, stop, write);
    const duration = readableDuration(performance.now() - stageStartedAt);
    const verdict = count.failed === 0 ? 'ok' : 'FAILED';
    summary.push(`${verdict.padEnd(7)} ${stage.name.padEnd(24)} ${duration.padStart(12)}   ${count.passed} passed, ${count.failed} failed`);
    write(`== ${stage.name}: ${verdict} in ${duration}`);
    total.passed += count.passed;
    total.failed += count.failed;
    failures.push(...(count.failures ?? []).map((failure) => `${stage.name}: ${failure}`));
    if (stop.aborted) return 130;
  }
  write(`\n${summary.join('\n')}\nall in ${readableDuration(performance.now() - startedAt)}`);
  if (failures.length > 0) write(`\n${namesOf(failures)}\n`);
  write(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

function namesOf(failures: readonly string[]): string {
  const more = failures.length > namedMax ? [`and ${failures.length - namedMax} more`] : [];
  return [...failures.slice(0, namedMax), ...more].join('\n');
}

async function countOf(stage: Stage, stop: AbortSignal, write: (line: string) => void): Promise<Count> {
  try {
    return await stage.run(stop);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    write(reason);
    return { passed: 0, failed: 1, failures: [reason] };
  }
}
