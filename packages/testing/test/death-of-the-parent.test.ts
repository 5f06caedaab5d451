import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { descendantsOf, eventually } from '../src/index.ts';

interface Started {
  pids: number[];
  ports: number[];
}

it('servers end when the process that started them is killed, also frozen ones', async () => {
  const parent = fork(fileURLToPath(new URL('./_parent-of-servers.ts', import.meta.url)), { execArgv: ['--conditions=skirmish-source'] });
  const [started] = (await once(parent, 'message')) as [Started];
  expect(started.pids).toHaveLength(3);
  expect(started.pids.every(isAlive)).toBe(true);
  const below = descendantsOf(parent.pid ?? -1);
  expect(below).toEqual(expect.arrayContaining(started.pids));
  parent.kill('SIGKILL');
  await eventually(() => !below.some(isAlive), { timeoutMs: 12_000, what: `the end of ${below.filter(isAlive).join()}` });
}, 60_000);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
