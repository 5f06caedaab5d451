import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { eventually } from '@skirmish/testing';

/** A WebSocket made of bytes, that can do what no library lets a client do. */
export interface RawWebSocket extends Disposable {
  readonly socket: Socket;
  /** Text and binary frames that were read; a close frame as `close <code>`. */
  readonly frames: string[];
  /** The connection is gone, seen from here; a client that does not read never sees a polite end. */
  isClosed(): boolean;
  /** Sends text frames, all in one write. */
  send(...texts: string[]): void;
  sendBinary(bytes: Buffer): void;
  /** The first frame that fits, past or future. */
  hears(part: string): Promise<string>;
}

/** Opens a WebSocket to Socket.IO and resolves after the upgrade; rejects with the status line of another answer. */
export async function openRaw(url: string, headers: Record<string, string> = {}): Promise<RawWebSocket> {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  const frames: string[] = [];
  let closed = false;
  let head: string | null = null;
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    if (head === null) {
      const end = rest.indexOf('\r\n\r\n');
      if (end === -1) return;
      head = rest.subarray(0, end).toString('latin1');
      rest = rest.subarray(end + 4);
    }
    rest = readFrames(rest, frames);
  });
  socket.on('error', () => undefined).on('close', () => { closed = true; }).on('end', () => socket.end());
  const lines = { Host: 'game', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64'), ...headers };
  socket.write(`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  await eventually(() => head !== null || closed, { what: 'an answer to the upgrade' });
  if (!String(head).startsWith('HTTP/1.1 101')) {
    socket.destroy();
    throw new Error(String(head).split('\r\n', 1)[0]);
  }
  return {
    socket,
    frames,
    isClosed: () => closed,
    send: (...texts) => void socket.write(Buffer.concat(texts.map((text) => maskedFrame(1, Buffer.from(text))))),
    sendBinary: (bytes) => void socket.write(maskedFrame(2, bytes)),
    hears: (part) => eventually(() => frames.find((frame) => frame.includes(part)) ?? '', { timeoutMs: 10_000, what: `a frame with ${part}` }),
    [Symbol.dispose]: () => { socket.destroy(); },
  };
}

function maskedFrame(opcode: number, payload: Buffer): Buffer {
  const size = payload.length;
  const length = size < 126 ? Buffer.from([0x80 | size]) : size < 65_536 ? Buffer.from([0xfe, size >> 8, size & 255]) : Buffer.from([0xff, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255]);
  // A mask of zeros is a mask.
  return Buffer.concat([Buffer.from([0x80 | opcode]), length, Buffer.alloc(4), payload]);
}

/** Takes whole frames from the front; answers what is left. */
function readFrames(bytes: Buffer, frames: string[]): Buffer<ArrayBuffer> {
  let at = 0;
  for (;;) {
    const short = (bytes[at + 1] ?? 0) & 127;
    const header = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < at + header) break;
    const size = short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short;
    if (bytes.length < at + header + size) break;
    const payload = bytes.subarray(at + header, at + header + size);
    const opcode = (bytes[at] ?? 0) & 15;
    frames.push(opcode === 8 ? `close ${size >= 2 ? payload.readUInt16BE(0) : ''}` : payload.toString());
    at += header + size;
  }
  return Buffer.from(bytes.subarray(at));
}
