import { refusals } from '@skirmish/protocol';
import type { GatewayMetrics } from '../metrics.ts';
import { emitDirect } from './redis-adapter.ts';
import type { Session } from './session.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface TokenLifeOptions {
  /** How long before its end a client is told, milliseconds. */
  readonly warnMs: number;
  /** How long after its end the connection is closed, milliseconds: the answer to a refresh may be on its way. */
  readonly graceMs: number;
  readonly report: GatewayMetrics['report'];
  readonly now?: () => number;
}

const tickMs = 1_000;

/**
 * Ends connections whose token has ended: `session:expiring` before, `session:closed` with `auth/expired` at the end and a grace. Only the
 * transport closes, so a client whose `auth` function brings a fresh token comes back and resumes; one that brings the old token
 * is refused by `connect_error`. One timer for all sessions of the process.
 */
export class TokenLife {
  readonly #options: TokenLifeOptions;
  readonly #now: () => number;
  readonly #wheel: TimerWheel<Session>;
  readonly #warned = new WeakSet<Session>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: TokenLifeOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#wheel = new TimerWheel(this.#now());
  }

  get size(): number {
    return this.#wheel.size;
  }

  start(): void {
    this.#timer ??= setInterval(() => { this.tick(); }, tickMs);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** After a connect and after each refresh. */
  follow(session: Session): void {
    this.#warned.delete(session);
    this.#wheel.schedule(session, session.socket.data.expiresAtMs - this.#options.warnMs);
  }

  forget(session: Session): void {
    this.#wheel.cancel(session);
  }

  tick(): void {
    for (const session of this.#wheel.tick(this.#now())) {
      if (this.#warned.has(session)) this.#end(session);
      else this.#warn(session);
    }
  }

  #warn(session: Session): void {
    this.#warned.add(session);
    emitDirect(session.socket, 'session:expiring', { expiresAtMs: session.socket.data.expiresAtMs });
    this.#wheel.schedule(session, session.socket.data.expiresAtMs + this.#options.graceMs);
  }

  #end({ socket, userId, socketId }: Session): void {
    const code = 'auth/expired';
    emitDirect(socket, 'session:closed', { code, message: refusals[code].message });
    this.#options.report('session-closed', { code }, { userId, socketId });
    socket.conn.close();
  }
}
