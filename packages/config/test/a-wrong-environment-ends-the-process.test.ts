import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { defineConfig, parseOrExit, variable } from '@skirmish/config';
import * as v from 'valibot';

const program = fileURLToPath(new URL('_port-process.ts', import.meta.url));

function run(env: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  const coverage = process.env['NODE_V8_COVERAGE'];
  return spawnSync(process.execPath, ['--conditions=skirmish-source', program], {
    encoding: 'utf8',
    env: { ...env, ...(coverage === undefined ? {} : { NODE_V8_COVERAGE: coverage }) },
  });
}

it('prints all mistakes as one list to stderr and exits with 2', () => {
  const { status, stdout, stderr } = run({ PORT: 'many' });
  expect(stderr.split('\n')).toEqual([
    '2 mistakes in the configuration:',
    '  - PORT is "many". Set it to a whole number from 0 to 65535.',
    expect.stringMatching(/^ {2}- DATABASE_URL is not set\. Set it to .*/),
    '',
  ]);
  expect(stdout).toBe('');
  expect(status).toBe(2);
});

it('goes on when there is none', () => {
  const { status, stdout, stderr } = run({ PORT: '80', DATABASE_URL: 'postgres://db' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'port 80', stderr: '' });
});

it('does not hide a fault in a schema behind the exit code of a mistake', () => {
  const fault = v.pipe(
    v.string(),
    v.transform((): string => {
      throw new RangeError('a fault in the schema');
    }),
  );
  const config = defineConfig({ broken: variable('BROKEN', { schema: fault, expects: 'nothing', description: 'for tests' }) });
  expect(() => parseOrExit(config, { BROKEN: 'x' })).toThrow('a fault in the schema');
});
