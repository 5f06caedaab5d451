import { eventually } from '@skirmish/testing';

/** A player's WebSocket without a client library: joins its realm, and can be had by the thousand. */
export class BriefPlayer {
  readonly #socket: WebSocket;
  #joined = false;
  #closed = false;

  constructor(url: string, realm: string, token: string) {
    this.#socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    this.#socket.addEventListener('message', ({ data }) => {
      const text = String(data);
      if (text.startsWith('0')) this.#socket.send(`40/realm/${realm},${JSON.stringify({ token })}`);
      else if (text === '2') this.#socket.send('3');
      else if (text.startsWith(`40/realm/${realm},`)) this.#joined = true;
    });
    this.#socket.addEventListener('close', () => { this.#closed = true; });
    this.#socket.addEventListener('error', () => { this.#closed = true; });
  }

  /** Resolves to whether the realm took it. */
  async settled(): Promise<boolean> {
    await eventually(() => this.#joined || this.#closed, { timeoutMs: 20_000, intervalMs: 2, what: 'an answer of the gateway' });
    return this.#joined;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await eventually(() => this.#closed, { timeoutMs: 20_000, intervalMs: 2, what: 'the end of a connection' });
  }
}
