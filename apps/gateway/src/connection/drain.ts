import { setTimeout as delay } from 'node:timers/promises';
import { parseRoom } from '@skirmish/protocol';
import type { RealmContext } from '../context.ts';
import { emitDirect } from './redis-adapter.ts';
import type { SocketWithAuth } from './session.ts';

const sliceMs = 100;
/** A few connections are not worth waiting for. */
const socketsPerSliceMin = 20;
/** How long a connection is kept for the answers that it waits for, milliseconds. */
export const answersMsMax = 1_000;
/** How long a client may take to read what is left for it before its transport is thrown away, milliseconds. */
export const readMsMax = 1_000;

export interface DrainTimes {
  /** From the announcement to the first close: time for load balancers to forget this gateway. */
  readonly delayMs: number;
  /** From the first close to the last one. */
  readonly spreadMs: number;
}

/** When each of `count` connections is closed, milliseconds after the announcement: evenly spread, each somewhere within its own share. */
export function closingTimes(count: number, { delayMs, spreadMs }: DrainTimes, random: () => number = Math.random): number[] {
  const neededMs = Math.min(spreadMs, Math.ceil(count / socketsPerSliceMin) * sliceMs);
  return Array.from({ length: count }, (_, index) => Math.round(delayMs + ((index + random()) * neededMs) / count));
}

/**
 * Sends all clients away: each is told when its connection ends, and it ends then. The oldest go first, those in a fight last. Only the
 * transport closes: a client that is told `disconnect` would never come back.
 */
export class Drain {
  readonly #realms: readonly RealmContext[];
  readonly #times: DrainTimes;
  /** When a connection is to be closed, by its socket. */
  readonly #due = new Map<SocketWithAuth, number>();
  readonly #told = new WeakSet<SocketWithAuth>();
  /** When a connection was told to close. */
  readonly #closing = new Map<SocketWithAuth['conn'], number>();
  #announcedAt = 0;

  constructor(realms: readonly RealmContext[], times: DrainTimes) {
    this.#realms = realms;
    this.#times = times;
  }

  /** Tells the cluster and all clients. */
  announce(): void {
    this.#announcedAt = performance.now();
    for (const { transport } of this.#realms) transport.drain();
    const sockets = this.#sockets();
    const ordered = [...sockets.filter((socket) => !isFighting(socket)), ...sockets.filter(isFighting)];
    const times = closingTimes(ordered.length, this.#times);
    for (const [index, socket] of ordered.entries()) this.#tell(socket, times[index] ?? 0);
  }

  /** Resolves when no connection is left. Once `signal` is aborted everything that is left is cut. */
  async close(signal: AbortSignal): Promise<void> {
    const openUntil = this.#announcedAt + this.#times.delayMs;
    while (!signal.aborted && (performance.now() < openUntil || this.#sockets().length + this.#closing.size > 0)) {
      this.#tellLatecomers();
      this.#closeDue();
      await delay(sliceMs, undefined, { signal }).catch(() => undefined);
    }
    // Also those that never joined a realm.
    for (const engine of new Set(this.#realms.map(({ nsp }) => nsp.server.engine))) engine.close();
  }

  #sockets(): SocketWithAuth[] {
    return this.#realms.flatMap(({ nsp }) => [...nsp.sockets.values()]);
  }

  #tell(socket: SocketWithAuth, afterMs: number): void {
    const dueAt = this.#announcedAt + afterMs;
    this.#due.set(socket, dueAt);
    this.#told.add(socket);
    emitDirect(socket, 'session:draining', { reconnectInMs: Math.max(Math.round(dueAt - performance.now()), 0) });
  }

  /** Those whose handshake was before the drain and who joined after the announcement. */
  #tellLatecomers(): void {
    const { delayMs, spreadMs } = this.#times;
    const passedMs = performance.now() - this.#announcedAt;
    const leftMs = Math.max(delayMs + spreadMs - passedMs, 0);
    for (const socket of this.#sockets()) if (!this.#told.has(socket)) this.#tell(socket, passedMs + Math.random() * leftMs);
  }

  #closeDue(): void {
    const now = performance.now();
    for (const [socket, dueAt] of this.#due) {
      if (dueAt > now || (now - dueAt < answersMsMax && this.#waitsForAnswers(socket))) continue;
      this.#due.delete(socket);
      this.#closing.set(socket.conn, now);
      socket.conn.close();
    }
    for (const [conn, since] of this.#closing) {
      const { readyState } = conn;
      if (readyState !== 'closed' && now - since < readMsMax) continue;
      this.#closing.delete(conn);
      // It waits for a client that does not read, or for a poll that does not come.
      if (readyState !== 'closed') conn.close(true);
    }
  }

  #waitsForAnswers(socket: SocketWithAuth): boolean {
    return this.#realms.some(({ sessions }) => (sessions.get(socket.id)?.calls.count ?? 0) > 0);
  }
}

function isFighting(socket: SocketWithAuth): boolean {
  for (const room of socket.rooms) if (parseRoom(room)?.kind === 'combat') return true;
  return false;
}
