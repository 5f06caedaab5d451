import { execFile } from 'node:child_process';
import type { Check, Result } from '../check.ts';
import { looked } from '../check.ts';

const timeoutMsDefault = 20_000;
const answerBytesMax = 64 * 1024 * 1024;
const severe = new Set(['high', 'critical']);

interface Advisory {
  readonly severity: string;
  readonly module_name?: string;
  readonly title?: string;
  readonly vulnerable_versions?: string;
}

/**
 * What the registry's list of advisories says about what is shipped: high and critical ones are findings. Where the list cannot be had within
 * 20 s the check was not run, which is said and is no pass.
 */
export async function askAdvisories(root: string, stop: AbortSignal, { program = 'pnpm', timeoutMs = timeoutMsDefault } = {}): Promise<Result> {
  const { text, trouble } = await answerOf(program, timeoutMs, root, stop);
  const advisories = advisoriesIn(text);
  if (advisories === null) return { outcome: 'not-run', reason: `the list of advisories could not be had: ${trouble}` };
  const findings = advisories.filter(({ severity }) => severe.has(severity)).map(({ severity, module_name: name = '?', title = '', vulnerable_versions: range = '' }) => `${severity}: ${name} ${range} ${title}`);
  return looked(`the registry's advisories on what is shipped: ${advisories.length}, ${findings.length} of them high or critical`, findings.length === 0 ? 1 : 0, findings);
}

/** The exit code says only that there are advisories; the text says which. */
function answerOf(program: string, timeoutMs: number, cwd: string, stop: AbortSignal): Promise<{ text: string; trouble: string }> {
  return new Promise((resolve) => {
    execFile(program, ['audit', '--prod', '--json'], { cwd, timeout: timeoutMs, maxBuffer: answerBytesMax, signal: stop }, (error, stdout, stderr) => {
      const late = error?.killed === true ? `no answer within ${timeoutMs / 1000} s` : undefined;
      resolve({ text: stdout, trouble: late ?? lastWordsOf(`${stdout}\n${stderr}`) ?? error?.message ?? 'no list in the answer' });
    });
  });
}

/** Its frames of lines and marks left out. */
function lastWordsOf(text: string): string | undefined {
  const words = text.replaceAll(/[│×]|^Error: /gm, ' ').replaceAll(/\s+/g, ' ').trim();
  return words === '' ? undefined : words.slice(0, 200);
}

/** Null when the text is no list: an error in JSON is none either. */
function advisoriesIn(text: string): Advisory[] | null {
  try {
    const { advisories } = JSON.parse(text) as { advisories?: Record<string, Advisory> };
    return advisories === undefined ? null : Object.values(advisories);
  } catch {
    return null;
  }
}

export const advisories: Check = {
  name: 'advisories',
  question: 'does the registry know of vulnerabilities in what is shipped?',
  run: ({ root, stop }) => askAdvisories(root, stop),
};
