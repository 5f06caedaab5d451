import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually, startTcpProxy, type TcpProxy } from '../src/index.ts';

let echo: Server;
let proxy: TcpProxy;
const sockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = await startTcpProxy({ targetPort: (echo.address() as { port: number }).port });
});

afterEach(async () => {
  await proxy.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});

interface Line {
  socket: Socket;
  text: string;
  closed: boolean;
}

function open(): Line {
  const socket = connect(proxy.port, '127.0.0.1');
  const line: Line = { socket, text: '', closed: false };
  sockets.push(socket);
  socket.on('data', (chunk) => (line.text += chunk.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => (line.closed = true));
  return line;
}

it('passes bytes, holds them while paused, and loses none', async () => {
  const line = open();
  line.socket.write('one ');
  await eventually(() => line.text === 'one ');
  proxy.pause();
  line.socket.write('two ');
  const later = open();
  later.socket.write('three');
  expect([line.text, later.text]).toEqual(['one ', '']);
  proxy.heal();
  await eventually(() => line.text === 'one two ' && later.text === 'three');
});

it('swallows bytes in a black hole, and cuts what lost some when it heals', async () => {
  const [lost, quiet] = [open(), open()];
  lost.socket.write('a');
  quiet.socket.write('b');
  await eventually(() => lost.text + quiet.text === 'ab');
  proxy.blackhole();
  const fresh = open();
  lost.socket.write('gone');
  fresh.socket.write('gone');
  await eventually(() => proxy.connections() === 3);
  expect([lost.closed, fresh.closed]).toEqual([false, false]);
  await eventually(() => sockets.length >= 3);
  await eventually(() => lost.socket.bytesWritten === 5 && fresh.socket.bytesWritten === 4);
  await new Promise(setImmediate);
  proxy.heal();
  await eventually(() => lost.closed);
  quiet.socket.write('c');
  await eventually(() => quiet.text === 'bc');
});

it('resets what is open and takes new connections', async () => {
  const line = open();
  line.socket.write('x');
  await eventually(() => line.text === 'x');
  proxy.reset();
  await eventually(() => line.closed);
  const next = open();
  next.socket.write('y');
  await eventually(() => next.text === 'y');
});
