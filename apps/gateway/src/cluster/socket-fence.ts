import { compareStreamIds } from '@skirmish/redis';
import type { Namespace, Socket } from 'socket.io';
import type { ClusterMessage } from 'socket.io-adapter';
import { MessageType } from 'socket.io-adapter';
import { emitDirect } from '../connection/redis-adapter.ts';

/** Sockets closed in one slice, and the pause between two slices in milliseconds. */
const sliceSockets = 100;
const sliceMs = 25;
/** Entries kept for a connection that is not complete; more than that and it is closed to try again. */
const ringEntriesMax = 1000;

/** The content of an inbox entry that names sockets by rooms. */
interface Targeted {
  opts: { rooms: string[]; except: string[] };
  packet?: { data: [event: string, payload: object] };
  rooms?: string[];
}

/** A connection between its registration and its completion. */
interface Gate {
  position: string;
  rooms: Set<string>;
  ring: { type: MessageType; id: string; data: Targeted }[];
  void: boolean;
}

/**
 * Which sockets may get which inbox entries.
 *
 * - From its registration on, a connection needs every entry after its position: until it is complete they are kept in its gate, then
 *   replayed in order in the turn in which it completes. Entries up to the position are not for it, also when the reader meets them later.
 * - After a gap every present socket is taken out of its rooms at once, so that nothing critical reaches it any more, and closed in slices;
 *   its client reconnects by itself.
 */
export class SocketFence {
  #nsp: Namespace | null = null;
  #gates = new Map<string, Gate>();
  #young = new Map<string, string>();
  #closing: Socket[] = [];
  #timer: NodeJS.Timeout | null = null;

  readonly #onJoin: (socketId: string, rooms: readonly string[]) => void;

  /** `onJoin` is told of rooms that a connection will be in once it is complete. */
  constructor(onJoin: (socketId: string, rooms: readonly string[]) => void) {
    this.#onJoin = onJoin;
  }

  attach(nsp: Namespace): void {
    this.#nsp = nsp;
  }

  /** Opens the gate of a connection before it is registered, so that nothing can fall between. */
  open(socketId: string, rooms: readonly string[]): void {
    this.#gates.set(socketId, { position: '', rooms: new Set([socketId, ...rooms]), ring: [], void: false });
  }

  /** The connection is registered: it needs entries after `position` only. */
  admit(socketId: string, position: string): void {
    const gate = this.#gates.get(socketId);
    if (!gate) return;
    gate.position = position;
    gate.ring = gate.ring.filter(({ id }) => compareStreamIds(id, position) > 0);
  }

  /** Further rooms of a connection that is not complete. */
  widen(socketId: string, rooms: readonly string[]): void {
    for (const room of rooms) this.#gates.get(socketId)?.rooms.add(room);
  }

  /** The socket has joined its rooms: hands over what came meanwhile, in order, before anything that the reader brings from now on. */
  complete(socket: Socket, readerPosition: string): void {
    const gate = this.#gates.get(socket.id);
    this.#gates.delete(socket.id);
    // Not a member for one moment: it would hear what comes after the gap. Without a gate (given up meanwhile) nothing was kept for it.
    if (!gate || gate.void) {
      this.#nsp?.adapter.delAll(socket.id);
      this.#close([socket]);
      return;
    }
    if (compareStreamIds(readerPosition, gate.position) < 0) this.#young.set(socket.id, gate.position);
    for (const entry of gate.ring) this.#replay(socket, entry);
  }

  forget(socketId: string): void {
    this.#gates.delete(socketId);
    this.#young.delete(socketId);
  }

  /** Shows the fence an entry before it is delivered; answers the ids of sockets that must not get it, none in the usual case. */
  pass(message: ClusterMessage, id: string): string[] {
    if (this.#gates.size > 0) this.#keep(message, id);
    if (this.#young.size === 0) return [];
    const out: string[] = [];
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
  }

  #keep(message: ClusterMessage, id: string): void {
    const { data } = message as unknown as { data: Targeted };
    for (const [socketId, gate] of this.#gates) {
      if (gate.void || (gate.position !== '' && compareStreamIds(id, gate.position) <= 0) || !isMeant(data, gate.rooms)) continue;
      if (gate.ring.length >= ringEntriesMax) {
        gate.void = true;
        gate.ring = [];
        continue;
      }
      // The local delivery that follows appends the position to the packet's own array: keep another one.
      const kept = data.packet ? { ...data, packet: { data: [...data.packet.data] as [string, object] } } : data;
      gate.ring.push({ type: message.type, id, data: kept });
      if (message.type === MessageType.SOCKETS_JOIN) {
        for (const room of data.rooms ?? []) gate.rooms.add(room);
        this.#onJoin(socketId, data.rooms ?? []);
      }
      if (message.type === MessageType.SOCKETS_LEAVE) for (const room of data.rooms ?? []) gate.rooms.delete(room);
    }
  }

  #replay(socket: Socket, { type, id, data }: Gate['ring'][number]): void {
    switch (type) {
      case MessageType.BROADCAST:
        if (data.packet) emitDirect(socket, data.packet.data[0], data.packet.data[1], id);
        return;
      case MessageType.SOCKETS_JOIN:
        void socket.join(data.rooms ?? []);
        return;
      case MessageType.SOCKETS_LEAVE:
        for (const room of data.rooms ?? []) void socket.leave(room);
        return;
      default:
        // Disconnected while it connected.
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

function isMeant({ opts }: Targeted, rooms: ReadonlySet<string>): boolean {
  return opts.rooms.some((room) => rooms.has(room)) && !opts.except.some((room) => rooms.has(room));
}
