import { compareStreamIds } from '@skirmish/redis';
import type { Namespace, Socket } from 'socket.io';
import type { ClusterMessage } from 'socket.io-adapter';
import { MessageType } from 'socket.io-adapter';
import { emitDirect } from '../connection/redis-adapter.ts';
import { Gate, type KeptEntry } from './gate.ts';
import type { MissedEvent } from './missed-events.ts';

/** Sockets closed in one slice, and the pause between two slices in milliseconds. */
const sliceSockets = 100;
const sliceMs = 25;
/** Missed events sent in one turn: others wait no longer than this takes. */
const missedPerTurn = 250;
/** Bytes that may wait in a transport before more missed events are added, and how often that is looked at, milliseconds. */
const unsentBytesMax = 1_048_576;
const unsentLookMs = 20;

export interface SocketFenceOptions {
  /** Told of rooms that a connection will be in once it is complete. */
  onJoin: (socketId: string, rooms: readonly string[]) => void;
  /** Runs a change to memberships that belongs to this position. */
  at: (position: string, change: () => void) => void;
}

/**
 * Which sockets may get which inbox entries.
 *
 * - From its registration on, a connection needs every entry after its position: until it is complete they are kept in its gate, then
 *   replayed in order in the turn in which it completes. Entries up to the position are not for it, also when the reader meets them later.
 * - One that resumes hears what it missed first, in turns of bounded length; its gate stays until it has caught up. Only its end does not wait.
 * - After a gap every present socket is taken out of its rooms at once, so that nothing critical reaches it any more, and closed in slices;
 *   its client reconnects by itself.
 */
export class SocketFence {
  readonly #options: SocketFenceOptions;
  #nsp: Namespace | null = null;
  #gates = new Map<string, Gate>();
  #young = new Map<string, string>();
  #closing: Socket[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SocketFenceOptions) {
    this.#options = options;
  }

  attach(nsp: Namespace): void {
    this.#nsp = nsp;
  }

  /** Opens the gate of a connection before it is registered, so that nothing can fall between. `rooms` null: not known before {@link settle}. */
  open(socketId: string, rooms: readonly string[] | null): void {
    this.#gates.set(socketId, new Gate(socketId, rooms, (joined) => { this.#options.onJoin(socketId, joined); }));
  }

  /** The connection is registered: it needs entries after `position` only. */
  admit(socketId: string, position: string): void {
    this.#gates.get(socketId)?.admit(position);
  }

  /** Further rooms of a connection that is not complete. */
  widen(socketId: string, rooms: readonly string[]): void {
    this.#gates.get(socketId)?.widen(rooms);
  }

  /** The rooms of a connection that wanted to resume, and what it missed. */
  settle(socketId: string, rooms: readonly string[], missed: MissedEvent[]): void {
    this.#gates.get(socketId)?.settle(rooms, missed);
  }

  /**
   * The socket was welcomed and has joined its rooms: sends what it missed, then what came meanwhile, in order, before anything that the
   * reader brings from now on. More than fits into one turn is sent over several; until then the gate keeps what comes. `caughtUp` is called after it,
   * unless the connection ends before.
   */
  complete(socket: Socket, readerPosition: () => string, caughtUp: () => void): void {
    const gate = this.#gates.get(socket.id);
    if (gate) this.#catchUp(socket, gate, readerPosition, caughtUp);
    // Given up meanwhile: nothing was kept for it.
    else this.#cut(socket);
  }

  forget(socketId: string): void {
    this.#gates.delete(socketId);
    this.#young.delete(socketId);
  }

  /** Whether everything up to the reader's position has been sent to this socket, and it may be told so. */
  isCurrent(socketId: string, readerPosition: string): boolean {
    const young = this.#young.get(socketId);
    // After a gap it is in no room any more: a position from behind the gap would let its resume step over it.
    const isCut = this.#nsp?.adapter.sids.has(socketId) !== true;
    return !isCut && !this.#gates.has(socketId) && (young === undefined || compareStreamIds(readerPosition, young) > 0);
  }

  /** Shows the fence an entry before it is delivered; answers the ids of sockets that must not get it, none in the usual case. */
  pass(message: ClusterMessage, id: string): string[] {
    const out: string[] = [];
    for (const [socketId, gate] of this.#gates) {
      if (gate.endsNow(message)) continue;
      gate.keep(message, id);
      if (gate.catchingUp) out.push(socketId);
    }
    for (const [socketId, position] of this.#young) {
      if (compareStreamIds(id, position) > 0) this.#young.delete(socketId);
      else out.push(socketId);
    }
    return out;
  }

  /** Ends critical delivery to all present sockets now, closes them in slices, and those on their way once they are complete. */
  cutAll(): number {
    this.#young.clear();
    for (const gate of this.#gates.values()) gate.void = true;
    if (!this.#nsp) return 0;
    const sockets = [...this.#nsp.sockets.values()];
    for (const socket of sockets) this.#nsp.adapter.delAll(socket.id);
    this.#close(sockets);
    return sockets.length;
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#closing = [];
    this.#gates.clear();
  }

  /** One turn of what was missed; the last one opens the gate. */
  #catchUp(socket: Socket, gate: Gate, readerPosition: () => string, caughtUp: () => void): void {
    // Closed or replaced since the last turn.
    if (this.#gates.get(socket.id) !== gate) return;
    // Not a member for one moment: it would hear what comes after the gap.
    if (gate.void) return this.#cut(socket);
    if (unsentBytes(socket) < unsentBytesMax) {
      for (const { id, event, payload } of gate.missed.splice(0, missedPerTurn)) emitDirect(socket, event, payload, id);
    }
    if (gate.missed.length === 0) {
      this.#finish(socket, gate, readerPosition());
      caughtUp();
      return;
    }
    gate.catchingUp = socket;
    const again = (): void => { this.#catchUp(socket, gate, readerPosition, caughtUp); };
    if (unsentBytes(socket) < unsentBytesMax) setImmediate(again);
    else setTimeout(again, unsentLookMs).unref();
  }

  #finish(socket: Socket, gate: Gate, readerPosition: string): void {
    this.#gates.delete(socket.id);
    if (compareStreamIds(readerPosition, gate.position) < 0) this.#young.set(socket.id, gate.position);
    for (const entry of gate.take()) this.#replay(socket, entry);
  }

  #cut(socket: Socket): void {
    this.#gates.delete(socket.id);
    this.#nsp?.adapter.delAll(socket.id);
    this.#close([socket]);
  }

  #replay(socket: Socket, { type, id, data }: KeptEntry): void {
    switch (type) {
      case MessageType.BROADCAST:
        if (data.packet) emitDirect(socket, data.packet.data[0], data.packet.data[1], id);
        return;
      case MessageType.SOCKETS_JOIN:
        this.#options.at(id, () => { void socket.join(data.rooms ?? []); });
        return;
      case MessageType.SOCKETS_LEAVE:
        this.#options.at(id, () => { for (const room of data.rooms ?? []) void socket.leave(room); });
        return;
      default:
        // Cut off, because another connection continues its session: its client comes again.
        if (data.cut) return this.#close([socket]);
        // Disconnected while it connected.
        if (data.reason) emitDirect(socket, 'session:closed', data.reason);
        socket.disconnect(true);
    }
  }

  #close(sockets: Socket[]): void {
    this.#closing.push(...sockets);
    this.#timer ??= setTimeout(this.#slice, 0);
  }

  readonly #slice = (): void => {
    // Not socket.disconnect(): that forbids the client to reconnect.
    for (const socket of this.#closing.splice(0, sliceSockets)) socket.conn.close();
    this.#timer = this.#closing.length > 0 ? setTimeout(this.#slice, sliceMs) : null;
  };
}

/** What a transport has been given and not written yet, as far as that is cheap to know. */
function unsentBytes(socket: Socket): number {
  const { transport } = socket.conn as unknown as { transport?: { socket?: { bufferedAmount?: number } } };
  const buffered = transport?.socket?.bufferedAmount ?? 0;
  const { writeBuffer } = socket.conn as unknown as { writeBuffer?: { length: number } };
  // A packet that waits for a poll counts as a small one.
  return buffered + (writeBuffer?.length ?? 0) * 200;
}
