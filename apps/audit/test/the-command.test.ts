import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf, eventually } from '@skirmish/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { repositoryRoot } from '../src/repository.ts';

// Put together here, so that this file holds no secret itself.
const [keyWord, secretWord] = ['Key', 'secret'];
const entry = join(repositoryRoot, 'apps', 'audit', 'src', 'security.ts');
const node = ['--conditions=skirmish-source', entry];
const root = mkdtempSync(join(tmpdir(), 'skirmish-audit-'));
beforeAll(() => {
  execFileSync('git', ['init', '-q'], { cwd: root });
  writeFileSync(join(root, 'sound.ts'), 'export const port = 3000;\n');
  execFileSync('git', ['add', '.'], { cwd: root });
});
afterAll(() => { rmSync(root, { recursive: true }); });

/** The exit code, the last line, and everything that was written. */
const audit = (...flags: string[]): { code: number | null; lastLine: string | undefined; text: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...node, ...flags], { encoding: 'utf8' });
  return { code: status, lastLine: stdout.trimEnd().split('\n').at(-1), text: stdout + stderr };
};

it('passes where nothing is found, and fails for a secret that is planted', () => {
  expect(audit('--root', root, '--only', 'secrets')).toMatchObject({ code: 0, lastLine: '1 passed, 0 failed' });
  writeFileSync(join(root, 'planted.ts'), `export const api${keyWord} = 'q7Zt2mWx9Lr4Vb8Nc1Ks6Hd3';\nexport const ${secretWord} = 'q7Zt2mWx9Lr4Vb8Nc1Ks6Hd3';\n`);
  execFileSync('git', ['add', '.'], { cwd: root });
  const { code, lastLine, text } = audit('--root', root, '--only', 'secrets');
  expect([code, lastLine]).toEqual([1, '0 passed, 2 failed']);
  expect(text).toMatch(/^FINDING +secrets [^]*planted\.ts:1: [^]*planted\.ts:2: /m);
}, 60_000);

it('fails in every check for a repository that lacks everything, and runs them all', () => {
  const { code, lastLine, text } = audit('--root', root);
  expect([code, lastLine]).toEqual([1, expect.stringMatching(/^\d+ passed, \d+ failed$/)]);
  for (const name of ['versions', 'secrets', 'headers', 'attacks', 'fuzz']) expect(text).toMatch(new RegExp(`^FINDING +${name} `, 'm'));
}, 120_000);

it('refuses a check and a flag that it does not know with the list', () => {
  expect(audit('--only', 'nonsense')).toMatchObject({ code: 2, text: expect.stringContaining('There is no check nonsense; there are versions,') as unknown });
  expect(audit('--nonsense')).toMatchObject({ code: 2, text: expect.stringMatching(/does not know --nonsense[^]*--only/) as unknown });
}, 60_000);

it('ends by Ctrl-C with 130, and takes with it what it started', async () => {
  const child = spawn(process.execPath, [...node, '--only', 'headers,fuzz'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString(); });
  // Redis runs before anything else of this check.
  const started = await eventually(() => {
    const pids = descendantsOf(child.pid ?? 0);
    if (pids.length === 0) throw new Error('nothing was started');
    return pids;
  }, { timeoutMs: 20_000 });
  child.kill('SIGINT');
  const code = await new Promise((resolve) => { child.once('exit', resolve); });
  expect([code, text.includes('· headers'), text.includes('· fuzz')]).toEqual([130, true, false]);
  await eventually(() => { for (const pid of started) expect(() => process.kill(pid, 0)).toThrow('ESRCH'); }, { timeoutMs: 10_000 });
}, 60_000);
