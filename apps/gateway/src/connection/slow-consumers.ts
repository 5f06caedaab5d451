import type { EngineSocket } from './session.ts';
import { hasProgressed, packetOverheadBytes, type Waiting, waitingOf } from './waiting-bytes.ts';

export interface SlowConsumersOptions {
  readonly softBytesMax: number;
  readonly hardBytesMax: number;
  readonly onSlow: (socketId: string) => void;
  /** A slow socket has read what waited: it needs the newest state once. */
  readonly onCaughtUp: (socketId: string) => void;
  /** The connection was closed; its client can resume. */
  readonly onClosed: (reason: 'too-much' | 'no-progress', details: { transport: string; waitingBytes: number }) => void;
  readonly now?: () => number;
}

/** Between two looks at all connections. */
export const lookIntervalMs = 250;
/** Looks in a row at which a connection is over the hard budget before it is closed; over twice the budget one is enough. */
const overHardLooksMax = 2;
/**
 * Without progress for 20 s a connection that has data waiting is closed. Counted in looks and not in time, so that a process
 * that stood still itself blames nobody.
 */
const stalledLooksMax = 20_000 / lookIntervalMs;

interface Watched {
  progress: Waiting['progress'];
  overHardLooks: number;
  stalledLooks: number;
  slow: boolean;
}

/**
 * Bounds what waits in this process for clients that do not read. Engine.IO never does: a client that sends pongs nobody asked
 * for passes its heartbeat for ever, and 140,000 packets queued up for one.
 *
 * Above the soft budget a client's sockets stand in `ids`: whoever sends ephemeral events or state leaves them out. Above the
 * hard budget, or without any progress, the connection is closed so that the client can resume. One timer for all.
 */
export class SlowConsumers {
  readonly #options: SlowConsumersOptions;
  readonly #now: () => number;
  readonly #connections = new Set<EngineSocket>();
  readonly #socketIds = new WeakMap<EngineSocket, string[]>();
  readonly #watched = new Map<EngineSocket, Watched>();
  readonly #replays = new WeakMap<EngineSocket, { bytes: number; untilMs: number }>();
  readonly #ids = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SlowConsumersOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Sockets that get no ephemeral events and no state now. Nearly always empty. */
  get ids(): ReadonlySet<string> {
    return this.#ids;
  }

  start(): void {
    this.#timer ??= setInterval(() => { this.look(); }, lookIntervalMs);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Call it for each connection, joined or not; a closed one is forgotten at the next look. */
  watch(conn: EngineSocket): void {
    this.#connections.add(conn);
  }

  /** Call it for each socket that joins a realm. */
  follow(socket: { readonly id: string; readonly conn: EngineSocket }): void {
    if (this.#watched.get(socket.conn)?.slow) this.#ids.add(socket.id);
    const known = this.#socketIds.get(socket.conn);
    if (known) known.push(socket.id);
    else this.#socketIds.set(socket.conn, [socket.id]);
  }

  /**
   * Widens both budgets of a connection for a time (milliseconds from now) by what the replay of a resume sends it, and by no more: to resume
   * must not be a way around them. It still has to make progress.
   */
  exempt(conn: EngineSocket, replay: { readonly events: number; readonly bytes: number }, forMs: number): void {
    this.#replays.set(conn, { bytes: replay.bytes + replay.events * packetOverheadBytes, untilMs: this.#now() + forMs });
  }

  /** One look at all connections; the timer calls it. */
  look(): void {
    for (const conn of this.#connections) {
      const waiting = conn.readyState === 'closed' ? null : waitingOf(conn, 2 * this.#options.hardBytesMax + this.#exemptBytes(conn));
      if (waiting) this.#judge(conn, waiting);
      else if (this.#watched.size > 0) this.#forget(conn);
      if (conn.readyState === 'closed') this.#connections.delete(conn);
    }
  }

  #judge(conn: EngineSocket, waiting: Waiting): void {
    let watched = this.#watched.get(conn);
    if (!watched) {
      watched = { progress: waiting.progress, overHardLooks: 0, stalledLooks: 0, slow: false };
      this.#watched.set(conn, watched);
    } else {
      watched.stalledLooks = hasProgressed(watched.progress, waiting.progress) ? 0 : watched.stalledLooks + 1;
      watched.progress = waiting.progress;
    }
    if (watched.stalledLooks >= stalledLooksMax) this.#close(conn, 'no-progress', waiting);
    else this.#rate(conn, watched, waiting);
  }

  #rate(conn: EngineSocket, watched: Watched, waiting: Waiting): void {
    const bytes = waiting.bytes - this.#exemptBytes(conn);
    const { softBytesMax, hardBytesMax } = this.#options;
    if (bytes > softBytesMax) this.#setSlow(conn, watched, true);
    else if (bytes <= softBytesMax / 2) this.#setSlow(conn, watched, false);
    watched.overHardLooks = bytes > hardBytesMax ? watched.overHardLooks + 1 : 0;
    if (bytes > 2 * hardBytesMax || watched.overHardLooks >= overHardLooksMax) this.#close(conn, 'too-much', waiting);
  }

  #setSlow(conn: EngineSocket, watched: Watched, slow: boolean): void {
    if (watched.slow === slow) return;
    watched.slow = slow;
    for (const id of this.#socketIds.get(conn) ?? []) {
      if (slow) this.#ids.add(id);
      else this.#ids.delete(id);
      (slow ? this.#options.onSlow : this.#options.onCaughtUp)(id);
    }
  }

  /** What the two budgets of a connection do not count now. */
  #exemptBytes(conn: EngineSocket): number {
    const replay = this.#replays.get(conn);
    return replay && replay.untilMs > this.#now() ? replay.bytes : 0;
  }

  #close(conn: EngineSocket, reason: 'too-much' | 'no-progress', { bytes: waitingBytes }: Waiting): void {
    this.#options.onClosed(reason, { transport: conn.transport.name, waitingBytes });
    const { socket } = conn.transport as unknown as { readonly socket?: { terminate(): void } };
    // Politely closed, `ws` would first try to send all that waits.
    conn.close(true);
    socket?.terminate();
    this.#forget(conn);
  }

  #forget(conn: EngineSocket): void {
    const watched = this.#watched.get(conn);
    if (!watched) return;
    this.#watched.delete(conn);
    if (conn.readyState !== 'closed') return this.#setSlow(conn, watched, false);
    for (const id of this.#socketIds.get(conn) ?? []) this.#ids.delete(id);
  }
}
