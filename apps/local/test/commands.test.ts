import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryRoot } from '../src/local-folder.ts';

const bootstrap = join(repositoryRoot, 'apps', 'local', 'bootstrap');
const { scripts } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

it('has a file for every script of the root, and refuses others with the list', async () => {
  const { commands } = (await import(join(bootstrap, 'commands.mjs'))) as { commands: Record<string, { app?: string; entry: string }> };
  expect(Object.keys(commands).sort()).toEqual(Object.keys(scripts).filter((name) => scripts[name]?.includes('bootstrap/run.mjs')).sort());
  for (const { app = 'local', entry } of Object.values(commands)) expect(existsSync(join(repositoryRoot, 'apps', app, 'src', entry))).toBe(true);
  const { status, stderr } = spawnSync(process.execPath, [join(bootstrap, 'run.mjs'), 'constructor'], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toContain('There is no command constructor.');
  for (const name of Object.keys(commands)) expect(stderr).toContain(name);
});

it.each(['start', 'demo', 'dev'])('npm run %s refuses a flag that it does not know with the list', (name) => {
  const entry = join(repositoryRoot, 'apps', 'local', 'src', `${name}.ts`);
  const { status, stderr } = spawnSync(process.execPath, ['--conditions=skirmish-source', entry, '--nonsense'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringMatching(/does not know --nonsense[^]*--/)]);
}, 30_000);

it('shows the configuration of an app without its secrets, and names the apps when asked for another', () => {
  const entry = join(repositoryRoot, 'apps', 'local', 'src', 'config.ts');
  const run = (app: string) => spawnSync(process.execPath, ['--conditions=skirmish-source', entry, app], { encoding: 'utf8', env: { PATH: process.env['PATH'], REDIS_URL: 'redis://u:hunter2secret@127.0.0.1:1', QUEUE_REDIS_URL: 'redis://127.0.0.1:2', DATABASE_URL: 'postgres://x:hunter2secret@127.0.0.1:3/y', JWT_SECRET: 'hunter2secret hunter2secret hunter2secret' } });
  const shown = run('gateway');
  expect(shown.status).toBe(0);
  expect(shown.stdout).toMatch(/SOCKET_PORT +default +3000/);
  expect(shown.stdout).toMatch(/JWT_SECRET +env +•••/);
  expect(shown.stdout).not.toContain('hunter2secret');
  const refused = run('nonsense');
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('gateway')]);
}, 30_000);
