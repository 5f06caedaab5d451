import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHealth, createLogger, createMetrics } from '@skirmish/observability';
import type { Health, Metrics } from '@skirmish/observability';
import type { RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { namespaceOf, roomOf } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { Server } from 'socket.io';
import type { Namespace, Socket } from 'socket.io';
import { io as connectClient } from 'socket.io-client';
import type { Socket as ClientSocket } from 'socket.io-client';
import type { TransportOptions } from '../src/cluster/realm-transport.ts';
import { createRealmTransport } from '../src/cluster/realm-transport.ts';
import { adapterFor, emitDirect } from '../src/connection/redis-adapter.ts';
import { beginAnew, freshPrivateId, isResumable, privateIdOf, wishOf } from '../src/connection/resume-wish.ts';

export type Transport = Awaited<ReturnType<typeof createRealmTransport>>;

export interface BareGateway {
  url: string;
  nsp: Namespace;
  io: Server;
  transport: Transport;
  metrics: Metrics;
  health: Health;
  logs: string[];
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const quickTransport: TransportOptions = {
  address: '127.0.0.1:1',
  version: 'test',
  renewIntervalMs: 300,
  condemnAfterTicks: 3,
  epochGraceMs: 0,
  resumeWindowMs: 60_000,
  resumeEntriesMax: 30_000,
  resumeBytesMax: 10_000_000,
  inboxRetentionMs: 60_000,
  readBlockMs: 500,
  readCoalesceMs: 0,
  socketsPerUserMax: 5,
};

/** A gateway of the transport alone: no tokens and no features, so that a test sees what the cluster does. Clients name their rooms. */
export async function startBareGateway(redisUrl: string, realm: string, options: Partial<TransportOptions> = {}, beforeComplete: (userId: UserId) => Promise<void> = () => Promise.resolve(), readAgain?: (socket: Socket) => Promise<RoomName[]>): Promise<BareGateway> {
  const logs: string[] = [];
  const destination = { write: (line: string) => { logs.push(line); } };
  const logger = createLogger({ name: 'bare-gateway', level: 'debug', destination });
  const metrics = createMetrics({ process: 'gateway', runtime: false });
  const health = createHealth();
  const realmId = realm as RealmId;
  const transport = await createRealmTransport({ realm: realmId, redisUrl, options: { ...quickTransport, ...options }, logger, metrics, health });
  const http = createServer();
  const name = namespaceOf(realmId);
  const io = new Server(http, {
    transports: ['websocket'],
    connectionStateRecovery: { maxDisconnectionDuration: 60_000, skipMiddlewares: false },
    adapter: adapterFor(new Map([[name, transport.adapter]])) as never,
  });
  const nsp = io.of(name);
  nsp.use((socket, next) => {
    const { userId, rooms = [], zone = null } = socket.handshake.auth as { userId: UserId; rooms?: RoomName[]; zone?: ZoneId | null };
    const all = [roomOf.realm, roomOf.user(userId), ...rooms];
    const resume = wishOf(socket as never);
    const pid = resume ? freshPrivateId() : privateIdOf(socket as never);
    const entry = { socketId: socket.id, userId, characterId: `c-${userId}` as never, device: 'test', rooms: all, zone, tokenExpiresAtMs: 0, connectedAtMs: Date.now(), pid, resume };
    const admit = async (): Promise<void> => {
      if (socket.conn.readyState !== 'open') throw new Error('gone already');
      const { position } = await transport.connect(entry);
      const rooms = readAgain ? await widened(transport, socket.id, all, () => readAgain(socket)) : all;
      const arrival = await transport.settle(socket.id, rooms, (room) => (readAgain && !rooms.includes(room) ? 'past' : 'member'));
      const recovered = arrival.resume?.recovered === true;
      if (resume && !recovered) beginAnew(socket as never, pid);
      socket.data = { rooms: arrival.rooms, position: arrival.resume?.recovered ? arrival.resume.offset : position };
      await beforeComplete(userId);
    };
    admit()
      // A connect_error is final for a plain client; a closed connection is not.
      .then(() => { next(); }, () => { socket.conn.close(); })
      .finally(() => {
        setImmediate(() => { if (!nsp.sockets.has(socket.id)) transport.abandon(socket.id); });
      });
  });
  nsp.on('connection', (socket) => {
    const { rooms, position } = socket.data as { rooms: string[]; position: string };
    void socket.join(rooms);
    emitDirect(socket, 'welcome', { position }, position);
    socket.on('disconnect', (reason) => { transport.disconnected(socket.id, isResumable(reason)); });
  });
  await transport.start(nsp);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const stop = async (): Promise<void> => {
    io.disconnectSockets(true);
    for (const socket of nsp.sockets.values()) socket.conn.close();
    await transport.stop();
    await io.close();
  };
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}${name}`;
  return { url, nsp, io, transport, metrics, health, logs, stop, [Symbol.asyncDispose]: stop };
}

/** Reads rooms until all that the answer names are registered, as the middleware of a realm does. */
async function widened(transport: Transport, socketId: string, registered: RoomName[], read: () => Promise<RoomName[]>): Promise<RoomName[]> {
  const known = new Set(registered);
  for (;;) {
    const rooms = await read();
    const missing = rooms.filter((room) => !known.has(room));
    if (missing.length === 0) return rooms;
    await transport.widen(socketId, missing);
    for (const room of missing) known.add(room);
  }
}

export interface Received {
  event: string;
  payload: Record<string, unknown>;
  position: string | undefined;
}

export interface Player {
  socket: ClientSocket;
  /** Everything received, in order, the welcome left out. */
  received: Received[];
  welcomes: number;
  disconnects: string[];
  close(): void;
}

/** A plain Socket.IO client; resolves after the welcome. */
export async function joinAs(url: string, userId: string, rooms: string[] = [], zone?: string, resume?: { pid: string; offset: string }): Promise<Player> {
  const socket = connectClient(url, { transports: ['websocket'], forceNew: true, auth: { userId, rooms, zone }, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  if (resume) Object.assign(socket, { _pid: resume.pid, _lastOffset: resume.offset });
  const player: Player = { socket, received: [], welcomes: 0, disconnects: [], close: () => socket.close() };
  socket.on('disconnect', (reason) => { player.disconnects.push(reason); });
  socket.onAny((event: string, payload: Record<string, unknown>, position?: string) => {
    if (event === 'welcome') player.welcomes += 1;
    else if (event === 'session:position') return;
    else player.received.push({ event, payload, position });
  });
  await eventually(() => player.welcomes > 0, { timeoutMs: 30_000, what: `${userId} to be welcomed` });
  return player;
}
