import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { ForwardOutcome, Owner } from './forward-request.ts';
import { forwardedHeaders } from './forwarded-headers.ts';
import { TimeLimit } from './time-limit.ts';

export interface TunnelParts {
  readonly incoming: IncomingMessage;
  readonly client: Socket;
  /** What the client has sent after the request already. */
  readonly head: Buffer;
  readonly owner: Owner;
  readonly connectMs: number;
  readonly answerMs: number;
  /** The owner has agreed: from here on the tunnel lives as long as its WebSocket. */
  readonly onOpen: () => void;
  /** `answered`: the tunnel, or a refusal by the owner, is over. */
  readonly onClosed: (outcome: ForwardOutcome) => void;
  /** Answers the client when the owner has not. */
  readonly refuse: () => void;
}

/** A peer that vanished without a word is noticed by TCP after this and some more; the engine's pings are usually faster. */
const keepAliveMs = 30_000;
/** For what is still to be written to a client after its owner has closed. */
const flushMs = 2_000;
const agreed = Buffer.from('HTTP/1.1 101');

/** Both connections of an upgrade that another gateway serves; when one ends, the other ends. */
export class Tunnel {
  readonly #parts: TunnelParts;
  readonly #upstream = new Socket();
  readonly #limit = new TimeLimit();
  #isAnswered = false;
  #isOver = false;

  constructor(parts: TunnelParts) {
    this.#parts = parts;
  }

  start(): void {
    const { client, owner, connectMs } = this.#parts;
    client.setTimeout(0);
    client.setNoDelay(true);
    client.on('error', () => undefined);
    client.once('close', () => { this.#end('client-gone'); });
    this.#upstream.on('error', () => undefined);
    this.#upstream.once('close', () => { this.#end('owner-gone'); });
    this.#upstream.once('connect', () => { this.#join(); });
    this.#upstream.setNoDelay(true);
    this.#upstream.setKeepAlive(true, keepAliveMs);
    this.#allow(connectMs);
    // It may have gone before anybody listened.
    if (client.destroyed) this.#end('client-gone');
    else this.#upstream.connect({ host: owner.host, port: owner.port });
  }

  /** Cuts both connections; the client comes back by itself. */
  close(): void {
    this.#parts.client.destroy();
    this.#upstream.destroy();
  }

  #join(): void {
    const { incoming, client, head, answerMs, onOpen } = this.#parts;
    this.#allow(answerMs);
    this.#upstream.write(requestHead(incoming), 'latin1');
    if (head.length > 0) this.#upstream.write(head);
    this.#upstream.once('data', (first: Buffer) => {
      this.#limit.clear();
      this.#isAnswered = true;
      if (!this.#isOver && first.subarray(0, agreed.length).equals(agreed)) onOpen();
    });
    this.#upstream.pipe(client);
    client.pipe(this.#upstream);
  }

  #allow(ms: number): void {
    this.#limit.set(ms, () => { this.#end('timed-out'); });
  }

  #end(reason: ForwardOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#limit.clear();
    const { client, refuse, onClosed } = this.#parts;
    this.#upstream.destroy();
    if (reason !== 'client-gone' && !this.#isAnswered) refuse();
    client.destroySoon();
    if (!client.closed) {
      const cut = setTimeout(() => { client.destroy(); }, flushMs);
      client.once('close', () => { clearTimeout(cut); });
    }
    onClosed(this.#isAnswered ? 'answered' : reason);
  }
}

/** Header values come from Node's parser, which lets no line break through. */
function requestHead(incoming: IncomingMessage): string {
  const headers = { ...forwardedHeaders(incoming), connection: 'Upgrade', upgrade: incoming.headers.upgrade ?? 'websocket' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${incoming.method ?? 'GET'} ${incoming.url ?? '/'} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}
