import { deliveryClassOf, isServerEventName, parseServerPayload } from '@skirmish/protocol';
import type {
  Acknowledgement, ClientAnswer, ClientEventName, ClientPayloadInput, ServerEventName, ServerPayload,
} from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { io, type Socket } from 'socket.io-client';

/** One event as the client received it. */
export interface Received {
  event: string;
  payload: unknown;
  /** The second argument of critical events. */
  position?: string;
  atMs: number;
}

export interface PlayerOptions {
  /** Base URL of a gateway or of a load balancer. */
  url: string;
  realm: string;
  token: string;
  transports?: ('websocket' | 'polling')[];
  /** Default false: a test that wants the client to come back says so. */
  reconnection?: boolean;
  auth?: Record<string, unknown>;
}

/**
 * A plain Socket.IO client that keeps everything it received, in the order in which it came. An event that breaks the contract
 * (form, number of arguments, a position where none belongs) is an uncaught error, which fails the run.
 */
export class Player implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly refusals: unknown[] = [];
  readonly disconnects: string[] = [];
  readonly socket: Socket;

  constructor(options: PlayerOptions) {
    this.socket = io(`${options.url}/realm/${options.realm}`, {
      auth: { token: options.token, ...options.auth },
      transports: options.transports ?? ['websocket'],
      reconnection: options.reconnection ?? false,
      reconnectionDelay: 100,
      reconnectionDelayMax: 1_000,
      // Who comes back by itself must not hang on a frozen gateway; others have time.
      timeout: options.reconnection ? 4_000 : 20_000,
      forceNew: true,
      autoConnect: false,
    });
    this.socket.onAny((event: string, payload: unknown, position?: string, ...more: unknown[]) => {
      if (isServerEventName(event)) checkContract(event, payload, position, more);
      this.received.push({ event, payload, atMs: Date.now(), ...(position === undefined ? {} : { position }) });
    });
    this.socket.on('connect_error', (error) => this.refusals.push('data' in error ? error.data : error.message));
    this.socket.on('disconnect', (reason) => this.disconnects.push(reason));
  }

  /** Resolves to the welcome; rejects with the refusal when the gateway does not want this client. */
  async connect(timeoutMs = 20_000): Promise<ServerPayload<'session:welcome'>> {
    const before = this.of('session:welcome').length;
    const refusedBefore = this.refusals.length;
    this.socket.connect();
    await eventually(() => this.of('session:welcome').length > before || this.refusals.length > refusedBefore, { timeoutMs, what: 'the welcome' });
    const welcome = this.of('session:welcome')[before];
    if (welcome === undefined) throw new Error(`refused: ${JSON.stringify(this.refusals.at(-1))}`);
    return welcome;
  }

  /** The payloads of one event, in order. */
  of<E extends ServerEventName>(event: E): ServerPayload<E>[] {
    return this.received.filter((received) => received.event === event).map((received) => received.payload as ServerPayload<E>);
  }

  /** The first payload of an event, already received or still to come, that passes `accept`. */
  next<E extends ServerEventName>(event: E, accept: (payload: ServerPayload<E>) => boolean = () => true, timeoutMs = 20_000): Promise<ServerPayload<E>> {
    return eventually(() => {
      const found = this.of(event).find(accept);
      if (found === undefined) throw new Error(`received so far: ${this.received.map((received) => received.event).join(', ') || 'nothing'}`);
      return found;
    }, { timeoutMs, what: `an accepted ${event}` });
  }

  /** Sends an event and resolves to its acknowledgement; rejects after `timeoutMs` without one. */
  async send<E extends ClientEventName>(event: E, payload: ClientPayloadInput<E>, timeoutMs = 20_000): Promise<Acknowledgement<ClientAnswer<E>>> {
    return (await this.socket.timeout(timeoutMs).emitWithAck(event, payload)) as Acknowledgement<ClientAnswer<E>>;
  }

  /** Sends an event that must be accepted; rejects with the refusal otherwise. */
  async ask<E extends ClientEventName>(event: E, payload: ClientPayloadInput<E>, timeoutMs = 20_000): Promise<ClientAnswer<E>> {
    const answer = await this.send(event, payload, timeoutMs);
    if (answer.ok) return answer.data;
    throw new Error(`${event} was refused: ${JSON.stringify(answer.error)}`);
  }

  close(): void {
    this.socket.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await eventually(() => !this.socket.connected, { what: 'the socket to close' });
  }
}

function checkContract(event: ServerEventName, payload: unknown, position: string | undefined, more: unknown[]): void {
  parseServerPayload(event, payload);
  const positioned = deliveryClassOf(event) === 'critical' || event === 'session:welcome' || event === 'session:position';
  if (more.length > 0 || (position === undefined) === positioned) throw new TypeError(`${event}: wrong arguments after the payload`);
}
