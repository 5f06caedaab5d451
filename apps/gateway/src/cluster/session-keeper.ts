import type { Namespace } from 'socket.io';
import { emitDirect } from '../connection/redis-adapter.ts';

export interface SessionKeeperOptions {
  /** Time in which each session is visited once, milliseconds. */
  intervalMs: number;
  /** Sockets here whose sessions are kept: socket id, private id, key of the user's index. */
  sessions: () => IterableIterator<readonly [socketId: string, session: { pid: string; sessionsKey: string }]>;
  /** How many there are. */
  count: () => number;
  prolong: (sessions: [pid: string, sessionsKey: string][]) => void;
  /** Position that a socket may be told, or null when it is not there yet. */
  positionFor: (socketId: string) => string | null;
}

const tickMsMax = 1_000;
const sessionsPerWrite = 100;

/**
 * Visits every session within the interval, a share of them at each tick: its record in Redis is prolonged, and its client is told a
 * position (`session:position`), so that a quiet one can resume as well as a busy one. One timer for all of them.
 */
export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  readonly #tickMs: number;
  #round: ReturnType<SessionKeeperOptions['sessions']> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #nsp: Namespace | null = null;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.#tickMs = Math.min(tickMsMax, options.intervalMs / 4);
  }

  start(nsp: Namespace): void {
    this.#nsp = nsp;
    this.#timer ??= setInterval(() => { this.tick(); }, this.#tickMs);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#round = null;
  }

  tick(): void {
    const share = Math.ceil((this.#options.count() * this.#tickMs) / this.#options.intervalMs);
    const visited: [pid: string, sessionsKey: string][] = [];
    for (let i = 0; i < share; i += 1) {
      const next = this.#next();
      if (!next) break;
      const [socketId, { pid, sessionsKey }] = next;
      visited.push([pid, sessionsKey]);
      this.#tellPosition(socketId);
    }
    while (visited.length > 0) this.#options.prolong(visited.splice(0, sessionsPerWrite));
  }

  #next(): readonly [string, { pid: string; sessionsKey: string }] | null {
    this.#round ??= this.#options.sessions();
    const { value, done } = this.#round.next() as IteratorResult<readonly [string, { pid: string; sessionsKey: string }], undefined>;
    if (done) this.#round = null;
    return value ?? null;
  }

  #tellPosition(socketId: string): void {
    const position = this.#options.positionFor(socketId);
    const socket = position === null ? undefined : this.#nsp?.sockets.get(socketId);
    if (socket && position !== null) emitDirect(socket, 'session:position', { atMs: Date.now() }, position);
  }
}
