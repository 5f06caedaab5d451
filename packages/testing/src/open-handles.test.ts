import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

import { expect, it } from 'vitest';

import { eventually } from './eventually.ts';
import { openHandles } from './open-handles.ts';

it('sees a server and a child process until they are closed', async () => {
  expect(openHandles()).toEqual([]);
  const server = createServer().listen(0);
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  expect(openHandles().sort()).toEqual(['ProcessWrap', 'TCPServerWrap']);
  server.close();
  child.kill();
  await once(child, 'exit');
  await eventually(() => openHandles().length === 0, { what: 'no open handle' });
});
