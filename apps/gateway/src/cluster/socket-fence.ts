import { compareStreamIds } from '@skirmish/redis';
import type { Namespace, Socket } from 'socket.io';

/** Sockets closed in one slice, and the pause between two slices in milliseconds. */
const sliceSockets = 100;
const sliceMs = 25;

/**
 * Which sockets may get which inbox entries.
 *
 * - A young socket was registered at a position that the reader has not passed yet: entries up to it are not for that socket.
 * - After a gap every present socket is taken out of its rooms at once, so that nothing critical reaches it any more, and closed in slices;
 *   its client reconnects by itself.
 */
export class SocketFence {
  #nsp: Namespace | null = null;
  #young = new Map<string, string>();
  #voided = new Set<string>();
  #closing: Socket[] = [];
  #timer: NodeJS.Timeout | null = null;

  attach(nsp: Namespace): void {
    this.#nsp = nsp;
    nsp.on('connection', (socket) => {
      if (this.#voided.delete(socket.id)) this.#close([socket]);
    });
  }

  /** The socket needs entries after `position` only. */
  admit(socketId: string, position: string, readerPosition: string): void {
    if (compareStreamIds(readerPosition, position) < 0) this.#young.set(socketId, position);
  }

  forget(socketId: string): void {
    this.#young.delete(socketId);
    this.#voided.delete(socketId);
  }

  /** Ids to leave out of the entry `id`, none in the usual case. */
  tooYoungFor(id: string): string[] {
    if (this.#young.size === 0) return [];
    const out: string[] = [];
    for (const [socketId, position] of this.#young) {
      if (compareStreamIds(id, position) > 0) this.#young.delete(socketId);
      else out.push(socketId);
    }
    return out;
  }

  /** Connections on their way whose registration is void: closed as soon as they are complete. */
  void(socketIds: Iterable<string>): void {
    for (const id of socketIds) this.#voided.add(id);
  }

  /** Ends critical delivery to all present sockets now and closes them in slices. Returns how many. */
  cutAll(): number {
    this.#young.clear();
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
