import { describe, expect, it } from 'vitest';
import { type Check, looked, type Result } from './check.ts';
import { runChecks } from './run-checks.ts';

const check = (name: string, result: Result): Check => ({ name, question: 'is it?', run: () => Promise.resolve(result) });
const broken: Check = { name: 'broken', question: 'is it?', run: () => Promise.reject(new Error('no such file')) };

/** The exit code and the lines that were written. */
async function audit(checks: readonly Check[], stop = new AbortController().signal): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  return { code: await runChecks(checks, { root: '/', stop }, (line) => lines.push(line)), lines };
}

describe('an audit', () => {
  it('says for each check what was looked at, and what was found, and ends with the sum', async () => {
    const { code, lines } = await audit([check('one', looked('3 files', 3, [])), check('two', looked('2 files', 1, ['a.ts: a secret']))]);
    expect(code).toBe(1);
    expect(lines).toContainEqual(expect.stringMatching(/^ok +one .* 3 files$/));
    expect(lines).toContainEqual(expect.stringMatching(/^FINDING +two .* 2 files$/));
    expect(lines).toContainEqual(expect.stringMatching(/^ +a\.ts: a secret$/));
    expect(lines.at(-1)).toBe('4 passed, 1 failed');
  });

  it('passes only when something was looked at and nothing was found', async () => {
    expect((await audit([check('one', looked('3 files', 3, []))])).code).toBe(0);
    expect((await audit([])).code).toBe(1);
    expect(await audit([check('one', looked('nothing', 0, []))])).toMatchObject({ code: 1, lines: expect.arrayContaining(['0 passed, 1 failed']) as unknown });
    expect((await audit([broken, check('one', looked('3 files', 3, []))])).lines).toEqual(expect.arrayContaining([expect.stringContaining('no such file'), '3 passed, 1 failed']));
  });

  it('says that a check was not run and why, which is neither a pass nor a failure', async () => {
    const { code, lines } = await audit([check('one', looked('3 files', 3, [])), check('two', { outcome: 'not-run', reason: 'no network' })]);
    expect(code).toBe(0);
    expect(lines).toContainEqual(expect.stringMatching(/^not run +two .* no network$/));
    expect(lines.at(-1)).toBe('3 passed, 0 failed');
    expect((await audit([check('two', { outcome: 'not-run', reason: 'no network' })])).code).toBe(1);
  });

  it('that is stopped begins no further check', async () => {
    const stop = new AbortController();
    const stopping: Check = { name: 'one', question: 'is it?', run: () => { stop.abort(); return Promise.resolve(looked('1 file', 1, [])); } };
    const { code, lines } = await audit([stopping, broken], stop.signal);
    expect([code, lines.length]).toEqual([130, 1]);
  });
});
