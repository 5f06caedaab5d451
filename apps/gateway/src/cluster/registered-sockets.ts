import type { IncarnationId, RoomName, ZoneId } from '@skirmish/protocol';
import type { RealmKeys } from '@skirmish/redis';
import type { Socket } from 'socket.io';
import type { Directory } from './directory.ts';
import type { ConnectEntry } from './realm-transport-types.ts';
import type { SocketFence } from './socket-fence.ts';

/** A connection that was registered but did not complete is given up after this time, milliseconds. */
const pendingMsMax = 15_000;

export interface RegisteredSocketsOptions {
  directory: Directory;
  fence: SocketFence;
  keys: RealmKeys;
  incarnation: () => IncarnationId;
  readerPosition: () => string;
  socketsPerUserMax: number;
  /** Closes these sockets, wherever they are, because their user has newer ones. */
  closeSockets: (socketIds: string[]) => void;
}

interface Registered {
  zone: ZoneId | null;
  since: number;
  complete: boolean;
}

/** The sockets of this gateway that Redis knows of, from before their CONNECT is answered until they are gone. */
export class RegisteredSockets {
  readonly #options: RegisteredSocketsOptions;
  readonly #sockets = new Map<string, Registered>();

  constructor(options: RegisteredSocketsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** Enters a connection and its rooms; every emission routed after the answered position reaches this gateway for it. */
  async connect(entry: ConnectEntry): Promise<{ position: string }> {
    const { directory, fence, keys } = this.#options;
    const { socketId, userId, characterId, zone, connectedAtMs, device } = entry;
    this.#sockets.set(socketId, { zone, since: performance.now(), complete: false });
    fence.open(socketId, entry.rooms);
    try {
      const { position, crowd } = await directory.connect({
        op: 'connect',
        socketId,
        rooms: [...entry.rooms],
        userKey: keys.user(userId),
        record: JSON.stringify({ v: 1, gateway: this.#options.incarnation(), connectedAtMs, device }),
        zoneKey: zone === null || characterId === null ? '' : keys.roster(zone),
        characterId: characterId ?? '',
      });
      fence.admit(socketId, position);
      if (crowd) this.#closeOldest(crowd);
      return { position };
    } catch (error) {
      this.#sockets.delete(socketId);
      fence.forget(socketId);
      throw error;
    }
  }

  /** Enters further rooms of a connection that is not complete; what is emitted to them afterwards reaches it. */
  async widen(socketId: string, rooms: readonly RoomName[]): Promise<void> {
    this.#options.fence.widen(socketId, rooms);
    await this.#options.directory.widen(socketId, rooms);
  }

  /** The socket was welcomed and is in its rooms: from now on the directory sees them itself. */
  complete(socket: Socket): void {
    const known = this.#sockets.get(socket.id);
    if (known) known.complete = true;
    this.#options.fence.complete(socket, this.#options.readerPosition());
    this.#options.directory.settle(socket.id);
  }

  /** Takes a socket out of Redis; harmless for one that is not registered. */
  leave(socketId: string): void {
    this.#options.fence.forget(socketId);
    if (this.#sockets.delete(socketId)) this.#options.directory.disconnect(socketId);
  }

  /** Moves the seat of a socket's character into a zone, or out of the one it names. */
  async seat(socketId: string, zone: ZoneId | null, onlyFrom?: ZoneId): Promise<void> {
    const known = this.#sockets.get(socketId);
    if (onlyFrom !== undefined && known?.zone !== onlyFrom) return;
    await this.#options.directory.seat(socketId, zone === null ? '' : this.#options.keys.roster(zone), 'online');
    if (known) known.zone = zone;
  }

  /** Forgets everybody, because Redis has forgotten us. */
  reset(): void {
    this.#sockets.clear();
  }

  /** Gives up connections that were never completed. */
  expire(now = performance.now()): void {
    for (const [socketId, { complete, since }] of this.#sockets) {
      if (!complete && now - since > pendingMsMax) this.leave(socketId);
    }
  }

  #closeOldest(crowd: string[]): void {
    const sockets: { socketId: string; connectedAtMs: number }[] = [];
    for (let i = 0; i + 1 < crowd.length; i += 2) {
      const record = JSON.parse(crowd[i + 1] ?? '{}') as { connectedAtMs?: number };
      sockets.push({ socketId: crowd[i] ?? '', connectedAtMs: record.connectedAtMs ?? 0 });
    }
    sockets.sort((a, b) => a.connectedAtMs - b.connectedAtMs);
    const surplus = sockets.slice(0, Math.max(sockets.length - this.#options.socketsPerUserMax, 0));
    if (surplus.length > 0) this.#options.closeSockets(surplus.map(({ socketId }) => socketId));
  }
}
