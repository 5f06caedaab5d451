import type { RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { compareStreamIds } from '@skirmish/redis';
import { timePasses } from '@skirmish/testing';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import type { TrueSocket } from './_presence-truth.ts';

/** How a client ends its connection for good. */
export type Farewell = 'disconnect' | 'close' | 'cut';

/** A plain Socket.IO client with the truth about it: where it is meant to be, whatever happened to its messages. */
export class PresenceClient {
  readonly userId: UserId;
  readonly rooms: Set<RoomName>;
  readonly socket: Socket;
  zone: ZoneId | null;
  /** It is not meant to be there any more. */
  gone = false;
  /** The server has ended it for good: it does not come back by itself. */
  isSentAway = false;
  /** Why its connections ended, each with the time; an attempt that failed is none of them. */
  readonly closings: string[] = [];
  /** Those of them that neither side asked for: it comes back by itself. */
  breaks = 0;
  resumes = 0;
  /** Probes by name, and how often they came. */
  readonly probes = new Map<string, number>();
  /** Positions that did not grow within one session. */
  readonly backwards: string[] = [];
  /** Socket.IO reports the end of every attempt. */
  #wasConnected = false;
  #position = '0-0';
  /** What the realm said in this session, however many connections it had, and from which position on it must hear everything. */
  #said: string[] = [];
  #since = '';

  constructor(url: string, of: { userId: UserId; rooms: readonly RoomName[]; zone: ZoneId | null; name: string }) {
    this.userId = of.userId;
    this.rooms = new Set(of.rooms);
    this.zone = of.zone;
    this.socket = io(url, {
      // A connection that breaks while it is being opened is missed by the client until this time is over, 20 s by default.
      timeout: 2_000,
      transports: ['websocket'], forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100, randomizationFactor: 0.5,
      auth: (answer) => { answer({ userId: this.userId, rooms: [...this.rooms], zone: this.zone, client: of.name }); },
    });
    this.socket.on('connect', () => { this.#wasConnected = true; });
    this.socket.on('disconnect', (reason) => {
      if (this.#wasConnected) this.closings.push(`${new Date().toISOString()} ${reason}`);
      if (reason === 'io server disconnect') this.gone = this.isSentAway = true;
      else if (reason !== 'io client disconnect') this.breaks += 1;
      this.#wasConnected = false;
    });
    this.socket.onAny((event: string, payload: { name?: string }, position?: string) => { this.#hear(event, payload, position); });
  }

  get isConnected(): boolean {
    return this.socket.connected;
  }

  get truth(): TrueSocket {
    return { socketId: this.socket.id ?? 'none', userId: this.userId, rooms: this.rooms, zone: this.zone, pid: this.privateId };
  }

  get privateId(): string {
    return (this.socket as unknown as { _pid?: string })._pid ?? 'none';
  }

  isIn(room: RoomName): boolean {
    return room === roomOf.realm || room === roomOf.user(this.userId) || this.rooms.has(room);
  }

  /** Its transport breaks and it comes back by itself, as another socket. */
  bounce(): void {
    (this.socket.io.engine as { close(): void } | undefined)?.close();
  }

  end(how: Farewell): void {
    this.gone = true;
    this.socket.io.reconnection(false);
    if (how === 'cut') terminate(this.socket);
    else if (how === 'close') this.bounce();
    this.socket.disconnect();
  }

  /** Throws unless exactly those of the probes `<name>-0`, `<name>-1`, … came that were meant for it, in order, each once. */
  checkProbes(name: string, probes: readonly (readonly RoomName[])[]): void {
    const expected = probes.flatMap((target, i) => (target.some((room) => this.isIn(room)) ? [`${name}-${i} 1`] : [])).join();
    const heard = [...this.probes].filter(([each]) => each.startsWith(`${name}-`)).map(([each, times]) => `${each} ${times}`).join();
    if (heard !== expected) throw new Error(`${this.userId} heard ${heard} instead of ${expected}`);
    if (this.backwards.length > 0) throw new Error(`${this.userId} heard positions twice or backwards: ${this.backwards.join()}`);
  }

  /** Throws unless this connection heard what was said after its position, in order, each once, and nothing from before. */
  checkSaid(said: ReadonlyMap<string, string>): void {
    const expected = [...said].filter(([id]) => compareStreamIds(id, this.#since) > 0).sort(([a], [b]) => compareStreamIds(a, b)).map(([, name]) => name).join();
    if (this.#said.join() !== expected) throw new Error(`${this.userId} heard ${this.#said.join()} instead of ${expected} since ${this.#since}`);
  }

  /** A session that continues none: what came before it is nothing to it. */
  #begin(position: string): void {
    this.#since = position;
    this.#position = position;
    this.#said = [];
  }

  #hear(event: string, { name = '' }: { name?: string }, position: string | undefined): void {
    if (event === 'welcome') {
      if (this.socket.recovered) this.resumes += 1;
      else this.#begin(position ?? '');
      return;
    }
    if (position !== undefined && event !== 'session:position') {
      if (compareStreamIds(position, this.#position) <= 0) this.backwards.push(position);
      this.#position = position;
    }
    if (event === 'app:said') this.#said.push(name);
    if (event === 'app:probe') this.probes.set(name, (this.probes.get(name) ?? 0) + 1);
  }
}

/** A client that changes its mind while it connects; `ms`: how far it comes. */
export async function giveUp(url: string, of: { userId: UserId; rooms: readonly RoomName[]; zone: ZoneId | null }, ms: number): Promise<void> {
  const client = new PresenceClient(url, { ...of, name: 'none' });
  await timePasses(ms, 'how far it comes');
  client.end('cut');
}

/** Ends the TCP connection without a closing handshake. */
function terminate({ io: { engine } }: Socket): void {
  const { transport } = engine as unknown as { transport?: { ws?: { terminate?: () => void } } };
  transport?.ws?.terminate?.();
}
