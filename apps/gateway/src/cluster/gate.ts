import { compareStreamIds } from '@skirmish/redis';
import type { Socket } from 'socket.io';
import type { ClusterMessage } from 'socket.io-adapter';
import { MessageType } from 'socket.io-adapter';
import type { MissedEvent } from './missed-events.ts';

/** The content of an inbox entry that names sockets by rooms. */
export interface Targeted {
  opts: { rooms: string[]; except: string[] };
  packet?: { data: [event: string, payload: object] };
  rooms?: string[];
  /** Of a disconnect: the client is meant to come again. */
  cut?: boolean;
  /** Of a disconnect: what the client is told before. */
  reason?: object;
}

export interface KeptEntry {
  type: MessageType;
  id: string;
  data: Targeted;
}

/** Entries kept for a connection that is not complete; more than that and it is closed to try again. */
const keptMax = { fresh: 1_000, resuming: 10_000 } as const;

/**
 * A connection from its registration until it is complete: keeps the inbox entries that are meant for it.
 *
 * Rooms are known late: to a party and to a resume Redis has a say, to a resume the game as well. Until then it keeps everything.
 */
export class Gate {
  /** The registration's clock: nothing up to it is for this connection. Empty until Redis has answered. */
  position = '';
  /** Set when the connection cannot be completed any more. */
  void = false;
  /** What a resume has to hear before the entries of the gate. */
  missed: MissedEvent[] = [];
  /** Set while what was missed is being sent: the socket is in its rooms, but its entries still come here. */
  catchingUp: Socket | null = null;
  readonly #socketId: string;
  #rooms: Set<string> | null;
  #entries: KeptEntry[] = [];
  readonly #onJoin: (rooms: readonly string[]) => void;

  constructor(socketId: string, rooms: readonly string[] | null, onJoin: (rooms: readonly string[]) => void) {
    this.#socketId = socketId;
    this.#rooms = rooms && new Set([socketId, ...rooms]);
    this.#onJoin = onJoin;
  }

  admit(position: string): void {
    this.position = position;
    this.#entries = this.#entries.filter(({ id }) => compareStreamIds(id, position) > 0);
  }

  widen(rooms: readonly string[]): void {
    for (const room of rooms) this.#rooms?.add(room);
  }

  /** Now the rooms of a resuming connection are known. */
  settle(rooms: readonly string[], missed: MissedEvent[]): void {
    this.#rooms = new Set([this.#socketId, ...rooms]);
    this.missed = missed;
    const all = this.#entries;
    this.#entries = [];
    for (const entry of all) this.#keep(entry);
  }

  keep(message: ClusterMessage, id: string): void {
    if (this.void || (this.position !== '' && compareStreamIds(id, this.position) <= 0)) return;
    const { data } = message as unknown as { data: Targeted };
    if (this.#rooms && !isMeant(data, this.#rooms)) return;
    if (this.#entries.length >= (this.#rooms === null || this.catchingUp ? keptMax.resuming : keptMax.fresh)) {
      this.void = true;
      this.#entries = [];
      return;
    }
    // The local delivery that follows appends the position to the packet's own array: keep another one.
    this.#keep({ type: message.type, id, data: data.packet ? { ...data, packet: { data: [...data.packet.data] } } : data });
  }

  /** Whether the entry ends a socket that is in its rooms already: that does not wait for what a client does not read. */
  endsNow(message: ClusterMessage): boolean {
    if (!this.catchingUp || this.#rooms === null || message.type !== MessageType.DISCONNECT_SOCKETS) return false;
    return isMeant((message as unknown as { data: Targeted }).data, this.#rooms);
  }

  /** What was kept, in order; afterwards the gate is empty. */
  take(): KeptEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }

  #keep(entry: KeptEntry): void {
    if (this.#rooms && !isMeant(entry.data, this.#rooms)) return;
    this.#entries.push(entry);
    const { type, data } = entry;
    if (type === MessageType.SOCKETS_JOIN) {
      this.widen(data.rooms ?? []);
      // Also when it is not known yet whether it is meant: until then its rooms must not be given up for want of a member.
      this.#onJoin(data.rooms ?? []);
    }
    if (this.#rooms === null) return;
    if (type === MessageType.SOCKETS_LEAVE) for (const room of data.rooms ?? []) this.#rooms.delete(room);
  }
}

function isMeant({ opts }: Targeted, rooms: ReadonlySet<string>): boolean {
  return opts.rooms.some((room) => rooms.has(room)) && !opts.except.some((room) => rooms.has(room));
}
