import { readableDuration } from '@skirmish/local';
import type { Check, Result, Surroundings } from './check.ts';

const findingsShownMax = 50;

/**
 * Runs the checks one after the other, also after one found something, and writes a line for each (`ok`, `FINDING`, `not run`) with what was
 * looked at, then one line per finding; at the end `N passed, N failed`. Returns the exit code: 1 when anything was found or nothing passed, 130
 * when it was stopped.
 */
export async function runChecks(checks: readonly Check[], surroundings: Surroundings, write: (line: string) => void): Promise<0 | 1 | 130> {
  let [passed, failed] = [0, 0];
  const startedAt = performance.now();
  for (const check of checks) {
    write(`· ${check.name}: ${check.question} …`);
    const checkStartedAt = performance.now();
    const result = await resultOf(check, surroundings);
    if (surroundings.stop.aborted) return 130;
    const duration = readableDuration(performance.now() - checkStartedAt);
    for (const line of linesOf(check.name, duration, result)) write(line);
    if (result.outcome === 'not-run') continue;
    passed += result.passed;
    failed += result.findings.length;
  }
  write(`all in ${readableDuration(performance.now() - startedAt)}`);
  write(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

async function resultOf(check: Check, surroundings: Surroundings): Promise<Result> {
  try {
    const result = await check.run(surroundings);
    const isEmpty = result.outcome === 'looked' && result.passed === 0 && result.findings.length === 0;
    return isEmpty ? { ...result, findings: ['nothing was looked at'] } : result;
  } catch (error) {
    return { outcome: 'looked', at: 'the check itself', passed: 0, findings: [error instanceof Error ? error.message : String(error)] };
  }
}

function linesOf(name: string, duration: string, result: Result): string[] {
  const line = (word: string, text: string): string => `${word.padEnd(8)} ${name.padEnd(12)} ${duration.padStart(8)}   ${text}`;
  if (result.outcome === 'not-run') return [line('not run', result.reason)];
  const { findings, at } = result;
  const more = findings.length - findingsShownMax;
  return [line(findings.length === 0 ? 'ok' : 'FINDING', at), ...findings.slice(0, findingsShownMax).map((finding) => `         ${finding}`), ...(more > 0 ? [`         and ${more} more`] : [])];
}
