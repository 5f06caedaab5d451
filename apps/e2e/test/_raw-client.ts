import { eventually } from '@skirmish/testing';
import { WebSocket } from 'ws';

/** One Engine.IO packet as it stands in a WebSocket frame: a text that begins with its type, or the bytes of a binary message. */
export type Packet = string | Buffer;

/** Between the packets of one long-polling payload (Engine.IO v4, "HTTP long-polling"). */
export const separator = '\x1e';

export const pollingPath = '/socket.io/?EIO=4&transport=polling';
export const webSocketPath = '/socket.io/?EIO=4&transport=websocket';

export interface Open {
  sid: string;
  upgrades: string[];
  pingInterval: number;
  pingTimeout: number;
  maxPayload: number;
}

export interface Answer {
  status: number;
  type: string | null;
  body: string;
}

/** One HTTP request on a base URL. Rejects when the connection breaks. */
export async function request(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

/** The packets of a payload; binary messages travel as base64 behind a `b`. */
export function decodePayload(body: string): Packet[] {
  return body.split(separator).map((part) => (part.startsWith('b') ? Buffer.from(part.slice(1), 'base64') : part));
}

export function encodePayload(packets: readonly Packet[]): string {
  return packets.map((packet) => (typeof packet === 'string' ? packet : `b${packet.toString('base64')}`)).join(separator);
}

/** The text of an Engine.IO open packet, without its type. */
export const readOpen = (packet: Packet): Open => JSON.parse(String(packet).slice(1)) as Open;

/** Opens a long-polling session and nothing more. */
export async function handshake(url: string, headers: Record<string, string> = {}): Promise<Open> {
  const { status, body } = await request(url + pollingPath, { headers });
  if (status !== 200) throw new Error(`the handshake was answered ${status}: ${body}`);
  return readOpen(body);
}

/** A WebSocket that keeps every frame; nothing is answered by itself. */
export class RawWebSocket {
  readonly frames: Packet[] = [];
  readonly socket: WebSocket;
  /** The status of a refused upgrade, or null. */
  refusedWith: number | null = null;
  closeCode: number | null = null;
  #wasOpen = false;
  #taken = 0;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { perMessageDeflate: false, headers });
    this.socket.on('message', (data: Buffer, isBinary) => { this.frames.push(isBinary ? data : data.toString()); });
    this.socket.on('open', () => { this.#wasOpen = true; });
    this.socket.on('unexpected-response', (_request, response) => {
      this.refusedWith = response.statusCode ?? 0;
      response.destroy();
      this.socket.terminate();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => { this.closeCode = code; });
  }

  /** The next frame in the order of arrival, whatever it is. */
  next(what = 'a frame'): Promise<Packet> {
    return eventually(() => {
      const frame = this.frames[this.#taken];
      if (frame === undefined) throw new Error(`closed: ${String(this.closeCode)}`);
      this.#taken += 1;
      return { frame };
    }, { timeoutMs: 15_000, intervalMs: 5, what }).then(({ frame }) => frame);
  }

  /** Frames that arrived and that `next` has not taken. */
  rest(): Packet[] {
    return this.frames.slice(this.#taken);
  }

  /** Resolves when the upgrade of the connection was accepted, even if it is closed again by now. */
  async opened(): Promise<this> {
    await eventually(() => this.#wasOpen, { timeoutMs: 10_000, intervalMs: 5, what: 'the WebSocket' });
    return this;
  }

  async closed(): Promise<void> {
    await eventually(() => this.closeCode !== null, { timeoutMs: 15_000, intervalMs: 5, what: 'the end of the WebSocket' });
  }

  close(): void {
    this.socket.terminate();
  }
}

export type TransportName = 'polling' | 'websocket' | 'upgraded';

/** An Engine.IO session over any transport that answers heartbeats and keeps every message. */
export interface Connection {
  readonly open: Open;
  /** Engine.IO messages without their type: texts, and the bytes of binary ones, in the order of arrival. */
  readonly messages: Packet[];
  /** Several packets leave together: in one payload over polling, in frames one after the other over WebSocket. */
  send(...packets: Packet[]): Promise<void>;
  isOpen(): boolean;
  /** Resolves when the session is over, however it ended. */
  ended(): Promise<void>;
  /** Drops the connection without a word. */
  drop(): void;
}

abstract class Session implements Connection {
  readonly messages: Packet[] = [];
  abstract readonly open: Open;
  protected over = false;

  abstract send(...packets: Packet[]): Promise<void>;
  abstract drop(): void;

  isOpen(): boolean {
    return !this.over;
  }

  async ended(): Promise<void> {
    await eventually(() => this.over, { timeoutMs: 20_000, intervalMs: 5, what: 'the end of the session' });
  }

  protected receive(packet: Packet): void {
    if (typeof packet !== 'string') this.messages.push(packet);
    else if (packet.startsWith('4')) this.messages.push(packet.slice(1));
    else if (packet === '2') void this.send('3').catch(() => undefined);
    else if (packet === '1') this.over = true;
    else if (packet !== '6') throw new Error(`an unexpected packet: ${packet}`);
  }
}

class WebSocketSession extends Session {
  readonly open: Open;
  readonly #socket: RawWebSocket;

  constructor(open: Open, socket: RawWebSocket) {
    super();
    this.open = open;
    this.#socket = socket;
    for (const frame of socket.rest()) this.receive(frame);
    socket.socket.on('message', (data: Buffer, isBinary) => { this.receive(isBinary ? data : data.toString()); });
    socket.socket.on('close', () => { this.over = true; });
    if (socket.closeCode !== null) this.over = true;
  }

  send(...packets: Packet[]): Promise<void> {
    for (const packet of packets) this.#socket.socket.send(packet, () => undefined);
    return Promise.resolve();
  }

  drop(): void {
    this.#socket.close();
  }
}

/** Polls for ever, one request at a time, and posts one after the other, as the protocol demands. */
class PollingSession extends Session {
  readonly open: Open;
  readonly url: string;
  readonly #aborting = new AbortController();
  #posts: Promise<void> = Promise.resolve();
  #upgrading = false;
  readonly polling: Promise<void>;

  constructor(base: string, open: Open) {
    super();
    this.open = open;
    this.url = `${base}${pollingPath}&sid=${encodeURIComponent(open.sid)}`;
    this.polling = this.#poll();
  }

  send(...packets: Packet[]): Promise<void> {
    this.#posts = this.#posts.then(async () => {
      const answer = await request(this.url, { method: 'POST', body: encodePayload(packets), signal: this.#aborting.signal }).catch(() => null);
      if (answer?.status !== 200) this.over = true;
    });
    return this.#posts;
  }

  drop(): void {
    this.over = true;
    this.#aborting.abort();
  }

  /** Ends the polling at the next noop, which the server sends once the WebSocket is probed. */
  stopAtNoop(): Promise<void> {
    this.#upgrading = true;
    return this.polling;
  }

  async #poll(): Promise<void> {
    while (!this.over) {
      const answer = await request(this.url, { signal: this.#aborting.signal }).catch(() => null);
      if (answer?.status !== 200) {
        this.over = true;
        return;
      }
      const packets = decodePayload(answer.body);
      for (const packet of packets) this.receive(packet);
      if (this.#upgrading && packets.includes('6')) return;
    }
  }
}

export async function openPolling(url: string, headers: Record<string, string> = {}): Promise<Connection> {
  return new PollingSession(url, await handshake(url, headers));
}

export async function openWebSocket(url: string, headers: Record<string, string> = {}): Promise<Connection> {
  const socket = new RawWebSocket(url + webSocketPath, headers);
  return new WebSocketSession(readOpen(await socket.next('the open packet')), socket);
}

/** Polling first, then the upgrade as the protocol describes it: probe, pong, noop for the parked poll, upgrade packet. */
export async function openUpgraded(url: string, headers: Record<string, string> = {}): Promise<Connection> {
  const polling = new PollingSession(url, await handshake(url, headers));
  const socket = new RawWebSocket(`${url}${webSocketPath}&sid=${encodeURIComponent(polling.open.sid)}`, headers);
  await socket.opened();
  socket.socket.send('2probe');
  const pong = await socket.next('the answer to the probe');
  if (pong !== '3probe') throw new Error(`the probe was answered ${String(pong)}`);
  await polling.stopAtNoop();
  const upgraded = new WebSocketSession(polling.open, socket);
  socket.socket.send('5');
  return upgraded;
}

export const openers: Readonly<Record<TransportName, typeof openPolling>> = { polling: openPolling, websocket: openWebSocket, upgraded: openUpgraded };
