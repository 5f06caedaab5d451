import { randomBytes } from 'node:crypto';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import type { Emission, Router } from '@skirmish/emitter';
import { entryType } from '@skirmish/emitter';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { isStreamId } from '@skirmish/redis';
import type { RoomName } from '@skirmish/protocol';
import { parseRoom, roomOf } from '@skirmish/protocol';
import type { Namespace, Socket } from 'socket.io';
import { Adapter, MessageType } from 'socket.io-adapter';
import type { BroadcastOptions, ClusterMessage } from 'socket.io-adapter';

/** Makes the adapter of one namespace. */
export type AdapterFactory = (nsp: Namespace) => Adapter;

interface Packet {
  type: number;
  id?: number;
  nsp?: string;
  data?: unknown;
}

/** The parts of the official adapter that are called or replaced; its class is not exported, and its types hide them. */
interface StreamsAdapter extends Adapter {
  onMessage(message: ClusterMessage, offset?: string): void;
  doPublish(message: ClusterMessage): Promise<string>;
  broadcast(packet: Packet, opts: BroadcastOptions): void;
  addSockets(opts: BroadcastOptions, rooms: string[]): void;
  delSockets(opts: BroadcastOptions, rooms: string[]): void;
  disconnectSockets(opts: BroadcastOptions, close: boolean): void;
}

type AsyncBroadcast = (packet: Packet, opts: BroadcastOptions) => Promise<void>;

export interface RealmAdapterOptions {
  /** The adapter's client, see `createAdapterRedis`. */
  client: Redis;
  keys: RealmKeys;
  /** Name for the first inbox; the reader exchanges it. */
  inbox: string;
  router: Router;
  blockMs: number;
  entriesMax: number;
  /** Sees each entry before it is delivered; answers the ids of sockets that must not get it. */
  onEntry: (message: ClusterMessage, id: string) => string[];
  /** Emissions of others let local sockets join these rooms. */
  onEntered: (rooms: readonly string[]) => void;
  onRoom: (room: string, exists: boolean) => void;
  /** A socket joined or left a room, but not when it leaves all of them because it is gone. */
  onMoved: (socketId: string, room: string, joined: boolean) => void;
  /** Runs what an entry does; memberships that change meanwhile belong to its position. */
  at: (position: string, change: () => void) => void;
  /** The entry has been dealt with. */
  onMet: (id: string) => void;
  /** What the database says about the users of these rooms has changed. */
  onReread: (rooms: readonly string[]) => void;
  onHandlerError: (error: unknown, id: string | undefined) => void;
  onEmitFailed: (error: unknown, cause: 'unavailable' | 'payload') => void;
  /** A volatile broadcast: state of the moment, over Pub/Sub. */
  publishVolatile: (body: VolatileBroadcast) => void;
}

export interface VolatileBroadcast {
  packet: Packet;
  rooms: string[];
  except: string[];
}

/**
 * The official Redis Streams adapter with its extension points replaced, so that everything critical takes one path:
 * through the routing script into the inboxes, and from the own inbox to the own members. Nothing is delivered locally first.
 */
export function createRealmAdapter(options: RealmAdapterOptions): AdapterFactory {
  const { client, keys, inbox, blockMs, entriesMax } = options;
  const inner = createAdapter(client, {
    streamName: inbox,
    channelPrefix: keys.adapterChannels,
    blockTimeInMs: blockMs,
    readCount: entriesMax,
    onlyPlaintext: true,
  }) as unknown as (nsp: Namespace) => StreamsAdapter;
  return (nsp) => replaceExtensionPoints(inner(nsp), nsp, options);
}

/**
 * The `adapter` option of the server: the realm's adapter for its namespace, the in-memory one for all others.
 * Socket.IO calls it with `new`, so it has to be a `function`; an arrow function is no constructor.
 */
export function adapterFor(factories: ReadonlyMap<string, AdapterFactory>): new (nsp: Namespace) => Adapter {
  return function chooseAdapter(nsp: Namespace): Adapter {
    const factory = factories.get(nsp.name);
    return factory ? factory(nsp) : new Adapter(nsp);
  } as unknown as new (nsp: Namespace) => Adapter;
}

/** Sends an event of the class *direct* to one socket: at once, on this gateway, without Redis, in the order of the calls. */
export function emitDirect(socket: Socket, event: string, payload: object, position?: string): void {
  const data: unknown[] = position === undefined ? [event, payload] : [event, payload, position];
  const opts: BroadcastOptions = { rooms: new Set([socket.id]), except: new Set(), flags: { local: true } };
  socket.nsp.adapter.broadcast({ type: 2, nsp: socket.nsp.name, data }, opts);
}

function replaceExtensionPoints(adapter: StreamsAdapter, nsp: Namespace, options: RealmAdapterOptions): StreamsAdapter {
  const local = {
    doPublish: adapter.doPublish.bind(adapter),
    // Async, whatever its type says: it rejects when the packet cannot be encoded.
    broadcast: adapter.broadcast.bind(adapter) as AsyncBroadcast,
    addSockets: adapter.addSockets.bind(adapter),
    delSockets: adapter.delSockets.bind(adapter),
    disconnectSockets: adapter.disconnectSockets.bind(adapter),
  };
  const route = routeThrough(options);
  const isHere = (opts: BroadcastOptions): boolean => opts.flags?.local === true || isLocalSocket(nsp, opts);

  adapter.broadcast = (packet, opts) => {
    if (packet.type === 2 && packet.id === undefined && !carriesOneObject(packet.data, isHere(opts))) {
      options.onEmitFailed(new TypeError('an event carries exactly one object'), 'payload');
      return;
    }
    if (isHere(opts)) deliverHere(() => local.broadcast(packet, onlyHere(opts)), options);
    else if (opts.flags?.volatile) options.publishVolatile({ packet, rooms: [...opts.rooms], except: [...(opts.except ?? [])] });
    else route(entryType.broadcast, opts, { packet });
  };
  adapter.addSockets = (opts, rooms) => {
    if (isHere(opts)) local.addSockets(onlyHere(opts), rooms);
    else route(entryType.join, opts, { rooms }, rooms);
  };
  adapter.delSockets = (opts, rooms) => {
    if (isHere(opts)) local.delSockets(onlyHere(opts), rooms);
    else route(entryType.leave, opts, { rooms });
  };
  adapter.disconnectSockets = (opts, close) => {
    if (isHere(opts)) local.disconnectSockets(onlyHere(opts), close);
    else route(entryType.disconnect, opts, { close });
  };
  // Requests between gateways stay on the adapter's Pub/Sub; anything else that reaches this point would bypass the order.
  adapter.doPublish = (message) =>
    isRequest(message.type) || 'requestId' in ((message as { data?: object }).data ?? {})
      ? local.doPublish(message)
      : Promise.reject(new Error('critical messages take the routing script'));
  receiveEntries(adapter, nsp, options);
  watchMemberships(adapter, options);
  adapter.persistSession = () => undefined;
  adapter.restoreSession = (pid, offset) => Promise.resolve(wishToResume(pid, offset));
  const count = adapter.serverCount.bind(adapter);
  adapter.serverCount = () => count().catch(() => 1);
  adapter.on('create-room', (room: string) => { options.onRoom(room, true); });
  adapter.on('delete-room', (room: string) => { options.onRoom(room, false); });
  return adapter;
}

/** Entries of the inbox, one by one: one that nobody can deliver is told and passed over. Messages without an offset are requests of other gateways. */
function receiveEntries(adapter: StreamsAdapter, nsp: Namespace, options: RealmAdapterOptions): void {
  const receive = adapter.onMessage.bind(adapter);
  const deliver = (message: ClusterMessage, offset: string): void => {
    prepare(message, offset, nsp, options);
    if (isCut(message)) {
      for (const socketId of message.data.opts.rooms) nsp.sockets.get(socketId)?.conn.close();
      return;
    }
    if (isReread(message)) {
      options.onReread(message.data.opts.rooms);
      return;
    }
    options.at(offset, () => { receive(message, offset); });
    if (isJoin(message)) options.onEntered(message.data.rooms);
  };
  adapter.onMessage = (message, offset) => {
    try {
      if (offset === undefined) receive(message);
      else deliver(message, offset);
    } catch (error) {
      options.onHandlerError(error, offset);
    } finally {
      if (offset !== undefined) options.onMet(offset);
    }
  };
}

/** Tells of single joins and leaves; a socket that is gone leaves its rooms in another way (`delAll`). */
function watchMemberships(adapter: StreamsAdapter, options: RealmAdapterOptions): void {
  const addAll = adapter.addAll.bind(adapter);
  const del = adapter.del.bind(adapter);
  adapter.addAll = (id, rooms) => {
    const had = adapter.sids.get(id);
    const fresh = [...rooms].filter((room) => !had?.has(room));
    const done = addAll(id, rooms);
    for (const room of fresh) options.onMoved(id, room, true);
    return done;
  };
  adapter.del = (id, room) => {
    const was = adapter.sids.get(id)?.has(room) ?? false;
    const done = del(id, room);
    if (was) options.onMoved(id, room, false);
    return done;
  };
}

const privateIdForm = /^[A-Za-z0-9_-]{10,40}$/;

/**
 * A session that may be restored once its client has shown a token: a fresh socket id, no rooms, nothing missed, and in `data` what the
 * client asked for. Socket.IO restores before it authenticates, so nothing is looked up here and nothing is given away.
 */
function wishToResume(pid: string, offset: string): Awaited<ReturnType<Adapter['restoreSession']>> {
  if (!privateIdForm.test(pid) || !isStreamId(offset)) throw new Error('not a session');
  return { sid: randomBytes(15).toString('base64url'), pid, rooms: [], data: { resume: { pid, offset } }, missedPackets: [] };
}

type Route = (type: Emission['type'], opts: BroadcastOptions, content: object, joined?: readonly string[]) => void;

function routeThrough(options: RealmAdapterOptions): Route {
  const failed = (error: unknown): void => {
    options.onEmitFailed(error, error instanceof TypeError ? 'payload' : 'unavailable');
  };
  return (type, opts, content, joined = []) => {
    // Rooms that the directory does not keep (socket ids, names outside the contract) are looked for everywhere.
    const names = opts.rooms.size === 0 ? [roomOf.realm] : [...opts.rooms];
    const everyone = names.some((name) => parseRoom(name) === null);
    const rooms = names.filter((name): name is RoomName => parseRoom(name) !== null);
    const flags = opts.flags?.compress === undefined ? {} : { compress: opts.flags.compress };
    try {
      const data = JSON.stringify({ ...content, opts: { rooms: names, except: [...(opts.except ?? [])], flags } });
      const kept = joined.filter((name): name is RoomName => parseRoom(name) !== null);
      options.router.route({ type, rooms, everyone, data, joined: kept, logged: true }).catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}

/** Checks an entry of the inbox before the official code trusts it, and leaves out sockets that are too young for it. */
function prepare(message: ClusterMessage, offset: string, nsp: Namespace, options: RealmAdapterOptions): void {
  const { data } = message as { data?: { opts?: { rooms?: unknown; except?: unknown; flags?: unknown }; packet?: Packet; reason?: unknown } };
  const opts = data?.opts;
  if (!opts || !Array.isArray(opts.rooms) || !Array.isArray(opts.except)) throw new TypeError('entry without rooms or exceptions');
  if (message.type === MessageType.BROADCAST) {
    if (!Array.isArray(data.packet?.data)) throw new TypeError('entry without an event');
  }
  const left = options.onEntry(message, offset);
  if (left.length > 0) opts.except.push(...left);
  // Whoever is disconnected is told why, before the connection closes.
  if (message.type === MessageType.DISCONNECT_SOCKETS && typeof data.reason === 'object' && data.reason !== null) {
    const target = nsp.local.to(opts.rooms as string[]).except(opts.except as string[]);
    target.emit('session:closed', data.reason);
  }
}

function isRequest(type: MessageType): boolean {
  return type >= MessageType.FETCH_SOCKETS;
}

function isJoin(message: ClusterMessage): message is ClusterMessage & { data: { rooms: string[] } } {
  return message.type === MessageType.SOCKETS_JOIN;
}

/** Asks to read players anew. */
function isReread(message: ClusterMessage): message is ClusterMessage & { data: { opts: { rooms: string[] } } } {
  return message.type === MessageType.SOCKETS_LEAVE && (message as { data: { reread?: unknown } }).data.reread === true;
}

/** Ends a transport without telling its client to stay away. */
function isCut(message: ClusterMessage): message is ClusterMessage & { data: { opts: { rooms: string[] } } } {
  return message.type === MessageType.DISCONNECT_SOCKETS && (message as { data: { cut?: unknown } }).data.cut === true;
}

function isLocalSocket(nsp: Namespace, opts: BroadcastOptions): boolean {
  if (opts.rooms.size !== 1) return false;
  const [room = ''] = opts.rooms;
  return nsp.sockets.has(room) || nsp.adapter.sids.has(room);
}

const onlyHere = (opts: BroadcastOptions): BroadcastOptions => ({ ...opts, flags: { ...opts.flags, local: true } });

/** A trailing string would be taken for the position by Socket.IO's recovery. Direct emits may add the true position themselves. */
function carriesOneObject(data: unknown, direct: boolean): boolean {
  if (!Array.isArray(data)) return false;
  const isObject = typeof data[1] === 'object' && data[1] !== null;
  return isObject && (data.length === 2 || (direct && data.length === 3 && /^\d+-\d+$/.test(String(data[2]))));
}

/** The official method is async: what cannot be encoded rejects there and must not end the process. */
function deliverHere(deliver: () => Promise<void>, options: RealmAdapterOptions): void {
  deliver().catch((error: unknown) => { options.onEmitFailed(error, 'payload'); });
}
