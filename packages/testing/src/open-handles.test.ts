import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

import { expect, it } from 'vitest';

import { eventually } from './eventually.ts';
import { openConnections, openHandles } from './open-handles.ts';

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

it('the open connections are listed with where they lead', async () => {
  const server = createServer((socket) => { socket.resume(); }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  client.write('four');
  await eventually(() => { expect(openConnections().sort()).toEqual([`accepted at ${port} from ${client.localPort}: open, 4 B read, 0 B written`, `from ${client.localPort} to ${port}: open, 0 B read, 4 B written`]); });
  client.destroy();
  server.close();
  await eventually(() => openConnections().length === 0, { what: 'no open connection' });
});

it('a connection that Node cannot reset any more, because its end is on the way, is nobody\'s to close', async () => {
  const server = createServer((socket) => { socket.on('error', () => undefined).resume(); }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
  client.end();
  client.resetAndDestroy();
  expect(await once(client, 'error')).toMatchObject([{ code: 'EINVAL' }]);
  server.close();
  await eventually(() => openHandles().length === 0, { what: 'no open handle' });
  expect(openConnections()).toEqual([]);
});
