import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { askAdvisories } from './advisories.ts';

const folder = mkdtempSync(join(tmpdir(), 'skirmish-audit-'));
afterAll(() => { rmSync(folder, { recursive: true }); });
const { signal } = new AbortController();

/** A program that answers as the package manager would. */
function answering(script: string): { program: string } {
  const program = join(folder, 'answer.sh');
  writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { program };
}
const listing = (...severities: string[]): { program: string } =>
  answering(`echo '${JSON.stringify({ advisories: Object.fromEntries(severities.map((severity, id) => [id, { severity, module_name: 'ws', title: 'crash', vulnerable_versions: '<8' }])) })}'; exit 1`);

it('high and critical advisories are findings, others are counted', async () => {
  expect(await askAdvisories(folder, signal, listing('low', 'high', 'moderate', 'critical'))).toMatchObject({ outcome: 'looked', passed: 0, findings: ['high: ws <8 crash', 'critical: ws <8 crash'] });
  expect(await askAdvisories(folder, signal, listing('low', 'moderate'))).toMatchObject({ outcome: 'looked', passed: 1, findings: [] });
  expect(await askAdvisories(folder, signal, answering(`echo '{"advisories":{}}'`))).toMatchObject({ outcome: 'looked', passed: 1, findings: [] });
});

it.each([
  ['an error in JSON', `echo '{"error":{"code":"X","summary":"gone"}}'; exit 1`, 'gone'],
  ['words', 'echo the endpoint responded with 405 >&2; exit 1', '405'],
  ['nothing', 'exit 0', 'no list'],
])('an answer that is no list is said, and is no pass: %s', async (_what, script, words) => {
  expect(await askAdvisories(folder, signal, answering(script))).toEqual({ outcome: 'not-run', reason: expect.stringContaining(words) as unknown });
});

it('a registry that does not answer, or a package manager that is not there, is said as well', async () => {
  expect(await askAdvisories(folder, signal, { ...answering('exec sleep 30'), timeoutMs: 200 })).toEqual({ outcome: 'not-run', reason: expect.stringContaining('no answer within 0.2 s') as unknown });
  expect(await askAdvisories(folder, signal, { program: join(folder, 'nowhere') })).toMatchObject({ outcome: 'not-run' });
});
