import { connect as connectTcp } from 'node:net';
import { eventually } from '@skirmish/testing';
import { Chance } from './_fuzz-chance.ts';
import { strange, tame, wild } from './_fuzz-frames.ts';
import { type Connection, openPolling, openWebSocket, type Packet, pollingPath, request, webSocketPath } from './_raw-client.ts';
import { RawNamespace } from './_raw-socket.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly namespace: string;
  readonly seed: number;
  /** Ends with the connection that reaches this number of frames, payloads and requests. */
  readonly framesMin: number;
  readonly atATime: number;
  /** A token of the player who fuzzes here; a place is used by one connection at a time. */
  token(place: number): Promise<string>;
  /** A dead gateway ends the run. */
  isAlive(): boolean;
  /** Packets of one connection that leave before an answer is waited for. */
  readonly batch: number;
}

export interface FuzzReport {
  frames: number;
  connections: Record<string, number>;
  /** What closed although it broke no framing; each with what was sent last. */
  closedTame: string[];
  /** Handshakes and connects that did not come about. */
  failed: string[];
}

const visits = [[44, 'player-websocket'], [22, 'player-polling'], [12, 'stranger-websocket'], [8, 'stranger-polling'], [8, 'http'], [6, 'tcp']] as const;
const patienceMs = 20_000;
/** Of a gateway that takes nobody any more. */
const failuresMax = 5_000;

/** Fuzzes a gateway with the frames of this seed, over both transports, with and without a token, and below them. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = { frames: 0, connections: {}, closedTame: [], failed: [] };
  const work = async (place: number): Promise<void> => {
    for (let visit = 0; report.frames < options.framesMin && options.isAlive() && report.failed.length < failuresMax; visit++) {
      const chance = new Chance(options.seed + place * 1_000_003 + visit * 7_919);
      const kind = chance.weighted(visits);
      report.connections[kind] = (report.connections[kind] ?? 0) + 1;
      try {
        await visitors[kind]({ ...options, chance, place, report });
      } catch (error) {
        report.failed.push(`${kind}: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: options.atATime }, (_, place) => work(place)));
  return report;
}

interface Visit extends FuzzOptions {
  readonly chance: Chance;
  readonly place: number;
  readonly report: FuzzReport;
}

const visitors: Record<(typeof visits)[number][1], (visit: Visit) => Promise<void>> = {
  'player-websocket': async (visit) => asPlayer(visit, await openWebSocket(visit.url)),
  'player-polling': async (visit) => asPlayer(visit, await openPolling(visit.url)),
  'stranger-websocket': async (visit) => asStranger(visit, await openWebSocket(visit.url)),
  'stranger-polling': async (visit) => asStranger(visit, await openPolling(visit.url)),
  http: oddRequest,
  tcp: oddBytes,
};

/** Enters, sends what has to be survived, sees that it was, and leaves with something that may not be. */
async function asPlayer(visit: Visit, connection: Connection): Promise<void> {
  const { chance, namespace, report, batch } = visit;
  try {
    const realm = await new RawNamespace(connection, namespace).enter(await visit.token(visit.place));
    const groups = Array.from({ length: batch }, () => tame(chance, namespace));
    for (const packets of inPayloads(groups)) await send(visit, connection, packets);
    if ((await realm.state()) === 'closed') report.closedTame.push(JSON.stringify(groups.flat().map((packet) => (typeof packet === 'string' ? packet.slice(0, 120) : packet.length))));
    else await send(visit, connection, wild(chance, namespace));
  } finally {
    connection.drop();
  }
}

async function asStranger(visit: Visit, connection: Connection): Promise<void> {
  try {
    await send(visit, connection, strange(visit.chance));
    if (visit.chance.often(0.5)) await send(visit, connection, wild(visit.chance, visit.namespace));
  } finally {
    connection.drop();
  }
}

async function send({ report }: Visit, connection: Connection, packets: readonly Packet[]): Promise<void> {
  report.frames += packets.length;
  await connection.send(...packets);
}

/** A POST may not be larger than a frame, base64 and separators included; what belongs together stays together. */
function inPayloads(groups: readonly Packet[][]): Packet[][] {
  const payloads: Packet[][] = [];
  let size = Infinity;
  for (const group of groups) {
    const length = group.reduce((sum, packet) => sum + Buffer.byteLength(packet) * 1.4 + 2, 0);
    if (size + length > 50_000) {
      payloads.push([]);
      size = 0;
    }
    payloads.at(-1)?.push(...group);
    size += length;
  }
  return payloads;
}

/** Requests that no engine makes, on its path. */
async function oddRequest({ url, chance, report }: Visit): Promise<void> {
  const query = chance.pick(['', 'EIO=4', 'EIO=4&EIO=3&transport=polling', 'EIO=4&transport=polling&sid=', 'EIO=4&transport=polling&sid=__proto__', 'EIO=4&transport=websocket', 'EIO=4&transport=webtransport', 'EIO=4&transport=constructor', `EIO=4&transport=polling&sid=${'s'.repeat(2_000)}`, 'EIO=4&transport=polling&sid=%00%0d%0a', 'EIO=4&transport=polling&sid=%ff', '%', '&&&===', 'EIO[]=4&transport[]=polling']);
  const path = chance.pick(['/socket.io/', '/socket.io', '/socket.io//', '/socket.io/x', '/socket.io/../healthz']);
  const method = chance.pick(['GET', 'GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);
  const body = method === 'GET' ? undefined : new Uint8Array(chance.bytes(chance.below(300)));
  report.frames += 1;
  await request(`${url}${path}?${query}`, { method, ...(body === undefined ? {} : { body }), signal: AbortSignal.timeout(patienceMs) });
}

/** Bytes below the WebSocket and HTTP libraries: wrong opcodes, lengths, masks and fragments. */
async function oddBytes({ url, chance, report }: Visit): Promise<void> {
  const { hostname, port, host } = new URL(url);
  const socket = connectTcp({ host: hostname, port: Number(port) });
  let over = false;
  socket.on('error', () => undefined).on('close', () => { over = true; }).resume();
  const upgrade = `GET ${webSocketPath} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${chance.bytes(16).toString('base64')}\r\n\r\n`;
  const post = `POST ${pollingPath}&sid=x HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${chance.pick(['10', '-1', '99999999999', 'x'])}\r\n\r\n`;
  const head = chance.weighted([[6, upgrade], [1, post], [1, `GET ${webSocketPath} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n`], [1, chance.bytes(60).toString('latin1')]]);
  socket.write(head, 'latin1');
  const frames = 1 + chance.below(4);
  for (let frame = 0; frame < frames; frame++) socket.write(oddFrame(chance));
  report.frames += 1 + frames;
  socket.end();
  try {
    await eventually(() => over, { timeoutMs: patienceMs, intervalMs: 5, what: 'the end of a broken connection' });
  } finally {
    socket.destroy();
  }
}

function oddFrame(chance: Chance): Buffer {
  const first = chance.pick([0x81, 0x82, 0x80, 0x01, 0x00, 0x88, 0x89, 0x8a, 0x8b, 0xc1, 0xf1, 0x83, chance.below(256)]);
  const length = chance.pick([[0x80], [0x85], [0x05], [0xfe, 0, 5], [0xff, 0, 0, 0, 0, 0, 0, 0, 5], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xfe, 0xff, 0xff]]);
  return Buffer.concat([Buffer.from([first, ...length]), chance.bytes(4 + chance.below(30))]);
}
