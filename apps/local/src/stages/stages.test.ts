import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasOnlyTypes, ownSourcesOf } from './coverage.ts';
import { runStages, type Stage } from './stage.ts';
import { countOf } from './tests.ts';
import { root } from './tool.ts';

const stage = (name: string, passed: number, failed: number): Stage => ({ name, run: () => Promise.resolve({ passed, failed }) });
const broken: Stage = { name: 'broken', run: () => Promise.reject(new Error('no such tool')) };

/** Runs stages and resolves to the exit code and the last line that was written. */
async function outcomeOf(stages: Stage[]): Promise<[code: number, lastLine: string | undefined]> {
  const lines: string[] = [];
  const code = await runStages(stages, { write: (line) => lines.push(line) });
  return [code, lines.at(-1)];
}

describe('the stages of a run', () => {
  it('fail when one of them failed, broke or when nothing was run', async () => {
    expect(await outcomeOf([stage('a', 3, 0), stage('b', 1, 0)])).toEqual([0, '4 passed, 0 failed']);
    expect(await outcomeOf([stage('a', 3, 1), stage('b', 1, 0)])).toEqual([1, '4 passed, 1 failed']);
    expect(await outcomeOf([broken, stage('b', 1, 0)])).toEqual([1, '1 passed, 1 failed']);
    expect(await outcomeOf([])).toEqual([1, '0 passed, 0 failed']);
  });

  it('all run, also after one failed', async () => {
    const names: string[] = [];
    const noting = (name: string): Stage => ({ name, run: () => { names.push(name); return Promise.resolve({ passed: 0, failed: 1 }); } });
    await outcomeOf([noting('a'), broken, noting('b')]);
    expect(names).toEqual(['a', 'b']);
  });
});

describe('the end of a run', () => {
  it('names what failed, before its last line, and no more than 20 of them', async () => {
    const lines: string[] = [];
    const failing: Stage = { name: 'a', run: () => Promise.resolve({ passed: 1, failed: 25, failures: Array.from({ length: 25 }, (_, index) => `test ${index}`) }) };
    await runStages([failing, broken], { write: (line) => lines.push(line) });
    expect(lines.at(-2)?.trim().split('\n')).toEqual([...Array.from({ length: 20 }, (_, index) => `a: test ${index}`), 'and 6 more']);
    expect(lines.at(-1)).toBe('1 passed, 26 failed');
  });
});

describe('a run that is stopped', () => {
  it('begins no further stage and says so by its exit code', async () => {
    const stop = new AbortController();
    const stopping: Stage = { name: 'a', run: () => { stop.abort(); return Promise.resolve({ passed: 1, failed: 0 }); } };
    const never: Stage = { name: 'b', run: () => Promise.reject(new Error('was run')) };
    expect(await runStages([stopping, never], { stop: stop.signal, write: () => undefined })).toBe(130);
  });
});

describe('the count of a test run', () => {
  const report = { numPassedTests: 5, numFailedTests: 0, numFailedTestSuites: 0, success: true, testResults: [] };

  it('takes over what the report says', () => {
    expect(countOf(report, 0)).toMatchObject({ passed: 5, failed: 0, failures: [] });
    expect(countOf({ ...report, numFailedTests: 2, success: false }, 1)).toMatchObject({ passed: 5, failed: 2 });
  });

  it('names the tests that failed, and a file that failed without one', () => {
    const path = join(root, 'apps', 'x', 'test', 'a.test.ts');
    const testResults = [
      { name: path, status: 'failed', message: '', assertionResults: [
        { status: 'passed', fullName: 'it works' }, { status: 'failed', fullName: 'it lasts', failureMessages: ['Error: gone\n    at x'] },
      ] },
      { name: path.replace('a.test', 'b.test'), status: 'failed', message: 'no such module\nmore', assertionResults: [] },
      { name: path.replace('a.test', 'c.test'), status: 'passed', message: '', assertionResults: [{ status: 'passed', fullName: 'fine' }] },
    ];
    expect(countOf({ ...report, numFailedTests: 1, success: false, testResults }, 1).failures).toEqual([
      'apps/x/test/a.test.ts: it lasts: Error: gone', 'apps/x/test/b.test.ts: no such module',
    ]);
  });

  it('counts a failure that no test shows', () => {
    expect(countOf(report, 1)).toMatchObject({ passed: 5, failed: 1, failures: ['something outside of any test, see above'] });
    expect(countOf({ ...report, success: false }, 0)).toMatchObject({ passed: 5, failed: 1, failures: ['something outside of any test, see above'] });
    expect(countOf(null, 0)).toMatchObject({ passed: 0, failed: 1, failures: ['something outside of any test, see above'] });
    expect(countOf({ ...report, numPassedTests: 0 }, 0)).toMatchObject({ passed: 0, failed: 1, failures: ['something outside of any test, see above'] });
  });
});

describe('coverage', () => {
  it('keeps the own sources of a process under plain URLs', () => {
    const script = (url: string) => ({ url, functions: [] });
    const raw = { result: [
      script('file:///r/packages/redis/src/keys.ts?vitest=1'), script('file:///r/apps/gateway/src/chat/on-send.ts'),
      script('file:///r/packages/redis/src/keys.test.ts'), script('file:///r/packages/redis/test/keys.ts'),
      script('file:///r/node_modules/x/packages/y/src/z.ts'), script('node:fs'), script('file:///other/packages/redis/src/keys.ts'),
    ] };
    expect(ownSourcesOf(raw, 'file:///r/').result.map(({ url }) => url)).toEqual([
      'file:///r/packages/redis/src/keys.ts', 'file:///r/apps/gateway/src/chat/on-send.ts',
    ]);
  });

  it('leaves out files that are types only, and no others', () => {
    expect(hasOnlyTypes("import type { A } from './a.ts';\n/** Text. */\nexport interface B { a: A }\nexport type C = B;\n// why\nexport {};\n")).toBe(true);
    expect(hasOnlyTypes('export interface B { a: 1 }\nexport const b: B = { a: 1 };\n')).toBe(false);
    expect(hasOnlyTypes("export { a } from './a.ts';\n")).toBe(false);
    expect(hasOnlyTypes("export * from './a.ts';\n")).toBe(false);
  });
});
