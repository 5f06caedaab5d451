import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { expect, it } from 'vitest';

const source = new URL('../src/', import.meta.url);
const shipped = readdirSync(source).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

it('imports nothing but valibot and itself', () => {
  const imported = shipped.flatMap((name) => [...readFileSync(new URL(name, source), 'utf8').matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? ''));
  expect(new Set(imported.filter((name) => !/^\.\/[a-z-]+\.ts$/.test(name)))).toEqual(new Set(['valibot']));
});

// A whole compiler run: seconds on an idle machine, far more on a busy one.
it('knows a browser and nothing of Node', { timeout: 120_000 }, async () => {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const project = fileURLToPath(new URL('../tsconfig.browser.json', import.meta.url));
  const run = await promisify(execFile)(process.execPath, [compiler, '-p', project]).catch((error: unknown) => error);
  expect(run).toMatchObject({ stdout: '' });
});
