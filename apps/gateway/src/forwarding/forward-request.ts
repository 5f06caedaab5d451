import { type Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { endToEndHeaders, forwardedHeaders } from './forwarded-headers.ts';
import { TimeLimit } from './time-limit.ts';

/** The internal port of the gateway that a session belongs to. */
export interface Owner {
  readonly host: string;
  readonly port: number;
}

/** `owner-gone`: it cannot be reached or went away; `timed-out`: one of the two was silent or slow for too long. */
export type ForwardOutcome = 'answered' | 'client-gone' | 'owner-gone' | 'timed-out';

/** Longest phases of a forwarded request, milliseconds. */
export interface ForwardTimes {
  readonly connectMs: number;
  readonly bodyMs: number;
  /** A poll waits for something to say; the engine's own ping ends it at the latest. */
  readonly pollMs: number;
  readonly answerMs: number;
  /** Until an upgrade is agreed to. */
  readonly upgradeMs: number;
  /** For a client that reads slowly. */
  readonly transferMs: number;
}

export interface ForwardParts {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly owner: Owner;
  readonly agent: Agent;
  readonly times: ForwardTimes;
  /** Answers the client when the owner has not. */
  readonly refuse: () => void;
}

/** Passes a request on, once, and its answer back. Resolves when both are over and nothing of them is left; never rejects. */
export function forwardRequest(parts: ForwardParts): Promise<ForwardOutcome> {
  return new Promise((resolve) => {
    new Exchange(parts, resolve).start();
  });
}

class Exchange {
  readonly #parts: ForwardParts;
  readonly #resolve: (outcome: ForwardOutcome) => void;
  readonly #upstream: ClientRequest;
  readonly #limit = new TimeLimit();
  #over = false;

  constructor(parts: ForwardParts, resolve: (outcome: ForwardOutcome) => void) {
    const { incoming, owner, agent } = parts;
    this.#parts = parts;
    this.#resolve = resolve;
    const headers = forwardedHeaders(incoming);
    // Only a POST has a body that anybody reads.
    if (!hasBody(incoming)) delete headers['content-length'];
    this.#upstream = request({ ...owner, agent, method: incoming.method, path: incoming.url, headers });
  }

  start(): void {
    const { outgoing, times } = this.#parts;
    this.#upstream.on('error', () => { this.#end('owner-gone'); });
    this.#upstream.once('response', (response) => { this.#passBack(response); });
    this.#upstream.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => { this.#send(); });
      else this.#send();
    });
    outgoing.once('close', () => { this.#end(outgoing.writableFinished ? 'answered' : 'client-gone'); });
    this.#allow(times.connectMs);
  }

  /** The body is read only when there is somebody to take it. */
  #send(): void {
    const { incoming, times } = this.#parts;
    if (this.#over) return;
    if (!hasBody(incoming)) {
      this.#upstream.end();
      this.#allow(incoming.method === 'GET' ? times.pollMs : times.answerMs);
      return;
    }
    this.#allow(times.bodyMs);
    incoming.once('end', () => { this.#allow(times.answerMs); });
    incoming.pipe(this.#upstream);
  }

  #passBack(response: IncomingMessage): void {
    const { incoming, outgoing, times } = this.#parts;
    response.once('error', () => { this.#end('owner-gone'); });
    if (this.#over) return;
    this.#allow(times.transferMs);
    // An answer before the end of the body says that the rest is not wanted.
    if (hasBody(incoming) && !incoming.complete) outgoing.shouldKeepAlive = false;
    outgoing.writeHead(response.statusCode ?? 502, endToEndHeaders(response.headers));
    pipeline(response, outgoing, (error) => { this.#end(error ? 'owner-gone' : 'answered'); });
  }

  #allow(ms: number): void {
    if (!this.#over) this.#limit.set(ms, this.#timedOut);
  }

  readonly #timedOut = (): void => { this.#end('timed-out'); };

  #end(outcome: ForwardOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#limit.clear();
    const { incoming, outgoing, refuse } = this.#parts;
    const isWhole = outcome === 'answered' && (!hasBody(incoming) || incoming.complete);
    if (!isWhole) this.#upstream.destroy();
    if (hasBody(incoming)) incoming.resume();
    if (outcome === 'owner-gone' || outcome === 'timed-out') {
      if (outgoing.headersSent) outgoing.destroy();
      else refuse();
    }
    this.#resolve(outcome);
  }
}

function hasBody({ method, headers }: IncomingMessage): boolean {
  if (method !== 'POST') return false;
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
