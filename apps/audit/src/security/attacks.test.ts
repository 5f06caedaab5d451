import { mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { repositoryRoot } from '../repository.ts';
import { attackFiles, attacks, fuzz, missingFiles } from './attacks.ts';

const root = mkdtempSync(join(tmpdir(), 'skirmish-audit-'));
afterAll(() => { rmSync(root, { recursive: true }); });
const surroundings = { root, stop: new AbortController().signal };

it('an attack whose file was deleted is a finding', async () => {
  expect(await attacks.run(surroundings)).toMatchObject({ passed: 0, findings: Object.keys(attackFiles).map((path) => `${path} does not exist`) });
  expect(await fuzz.run(surroundings)).toMatchObject({ passed: 0, findings: ['apps/e2e/test/fuzz.test.ts does not exist'] });
});

it('those that are there are not', () => {
  const [there = '', ...gone] = Object.keys(attackFiles);
  mkdirSync(join(root, dirname(there)), { recursive: true });
  writeFileSync(join(root, there), '');
  expect(missingFiles(root, Object.keys(attackFiles))).toEqual(gone.map((path) => `${path} does not exist`));
});

it('those of the tree that is looked at are run, not our own', async () => {
  const [planted = '', ...gone] = Object.keys(attackFiles);
  symlinkSync(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, planted), "import { it } from 'vitest';\nit('passes', () => undefined);\nit('fails', () => { throw new Error('planted'); });\n");
  expect(await attacks.run(surroundings)).toMatchObject({ passed: 1, findings: [...gone.map((path) => `${path} does not exist`), '1 tests failed; they are named above'] });
}, 60_000);
