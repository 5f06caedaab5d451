import { eventually } from '@skirmish/testing';

/** What a gateway answered to the CONNECT of a realm. */
export type ConnectAnswer =
  | { kind: 'connected'; sid: string; pid: string }
  | { kind: 'refused'; message: string; data: { code?: string } | undefined }
  | { kind: 'closed' };

export interface RawEvent {
  event: string;
  payload: Record<string, unknown>;
  position?: string;
}

/** A WebSocket that speaks Engine.IO and Socket.IO frame by frame, so that a test sees everything that leaves the server. */
export class RawSession implements AsyncDisposable {
  /** Every Socket.IO packet in its order, also those before the answer to the CONNECT. */
  readonly packets: string[] = [];
  closed = false;
  answer: ConnectAnswer | null = null;
  readonly #socket: WebSocket;
  readonly #namespace: string;

  /** Resolves with the answer to the CONNECT; `auth` goes out as it is. */
  static async connect(url: string, realm: string, auth: Record<string, unknown>): Promise<RawSession> {
    const session = new RawSession(url, realm, auth);
    await eventually(() => session.answer !== null, { timeoutMs: 15_000, what: 'an answer to the CONNECT' });
    return session;
  }

  constructor(url: string, realm: string, auth: Record<string, unknown>) {
    this.#namespace = `/realm/${realm}`;
    this.#socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    this.#socket.onmessage = ({ data }) => { this.#hear(String(data), auth); };
    this.#socket.onclose = () => {
      this.closed = true;
      this.answer ??= { kind: 'closed' };
    };
  }

  /** The private id of the session; throws when there is none. */
  get pid(): string {
    if (this.answer?.kind !== 'connected') throw new Error(`not connected: ${JSON.stringify(this.answer)}`);
    return this.answer.pid;
  }

  get sid(): string {
    if (this.answer?.kind !== 'connected') throw new Error(`not connected: ${JSON.stringify(this.answer)}`);
    return this.answer.sid;
  }

  get events(): RawEvent[] {
    const prefix = `2${this.#namespace},`;
    return this.packets.filter((packet) => packet.startsWith(prefix)).map((packet) => {
      const [event, payload, position] = JSON.parse(packet.slice(prefix.length)) as [string, Record<string, unknown>, string?];
      return { event, payload, ...(position === undefined ? {} : { position }) };
    });
  }

  /** The position from which this client would resume: the last one it has seen. */
  get offset(): string {
    return this.events.findLast(({ position }) => position !== undefined)?.position ?? '';
  }

  /** The numbers of the `app:n` events, in order. */
  get numbers(): number[] {
    return this.events.filter(({ event }) => event === 'app:n').map(({ payload }) => payload['number'] as number);
  }

  /** Whether the welcome says that this is the earlier session; null before it came. */
  get recovered(): boolean | null {
    const welcome = this.events.find(({ event }) => event === 'session:welcome');
    return welcome === undefined ? null : welcome.payload['recovered'] === true;
  }

  get reloadReason(): string | null {
    return (this.events.find(({ event }) => event === 'session:reload')?.payload['reason'] as string | undefined) ?? null;
  }

  /** Resolves when this number has come. */
  async hears(number: number, timeoutMs = 20_000): Promise<void> {
    await eventually(() => {
      if (!this.numbers.includes(number)) throw new Error(`heard ${this.numbers.join(', ') || 'nothing'}${this.closed ? ', then closed' : ''}`);
    }, { timeoutMs, what: `number ${number}` });
  }

  /** Ends the session on purpose, by a packet of Socket.IO. */
  disconnect(): void {
    this.#socket.send(`41${this.#namespace},`);
  }

  close(): void {
    this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await eventually(() => this.closed, { what: 'the end of a WebSocket' });
  }

  #hear(frame: string, auth: Record<string, unknown>): void {
    if (frame.startsWith('0')) this.#socket.send(`40${this.#namespace},${JSON.stringify(auth)}`);
    else if (frame === '2') this.#socket.send('3');
    else if (frame.startsWith('4')) this.#take(frame.slice(1));
  }

  #take(packet: string): void {
    this.packets.push(packet);
    const body = packet.slice(packet.indexOf(',') + 1);
    if (packet.startsWith('0')) this.answer = { kind: 'connected', ...(JSON.parse(body) as { sid: string; pid: string }) };
    else if (packet.startsWith('4')) this.answer = { kind: 'refused', ...(JSON.parse(body) as { message: string; data: { code?: string } | undefined }) };
    else if (packet.startsWith('1')) this.closed = true;
  }
}
