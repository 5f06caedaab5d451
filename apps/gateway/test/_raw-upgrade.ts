import { connect, type Socket } from 'node:net';

/** A connection that asked to become a WebSocket, byte by byte. */
export interface RawUpgrade {
  readonly socket: Socket;
  /** Everything that came back, as latin1. */
  text: string;
  isClosed: boolean;
}

/** Sends an upgrade, and `more` in the same piece; resolves when it is on its way. */
export async function rawUpgrade(url: string, more = ''): Promise<RawUpgrade> {
  const { port, pathname, search } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  const upgrade: RawUpgrade = { socket, text: '', isClosed: false };
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => { upgrade.text += chunk.toString('latin1'); });
  socket.once('close', () => { upgrade.isClosed = true; });
  const headers = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==', 'Sec-WebSocket-Version: 13'];
  socket.write([`GET ${pathname}${search} HTTP/1.1`, ...headers, '', more].join('\r\n'), 'latin1');
  await new Promise<void>((resolve) => { socket.once('connect', resolve); });
  return upgrade;
}
