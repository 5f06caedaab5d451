import { RealtimeService } from '@skirmish/emitter';
import type { Emitter } from '@skirmish/emitter';
import type { RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import { keysOf } from '@skirmish/redis';
import type { BareGateway } from './_bare-gateway.ts';

/** A socket that is there, as a test knows it from the client. */
export interface TrueSocket {
  socketId: string;
  userId: UserId;
  /** Without `realm` and the user's own room, in which every socket is. */
  rooms: ReadonlySet<RoomName>;
  zone: ZoneId | null;
  /** Private id of its session. */
  pid: string;
}

export interface TrueGateway {
  gateway: Pick<BareGateway, 'nsp' | 'transport'>;
  sockets: TrueSocket[];
}

/** What a realm holds at one moment: nothing else may stand in Redis or in a gateway's memory. */
export interface Truth {
  gateways: TrueGateway[];
}

/** Keys that stand as long as the realm does. */
const standing = (realm: RealmId): string[] => {
  const { clock, epoch, backendEvents, floors, presenceChanged } = keysOf(realm);
  // Of those who came and went: a whole gateway announces them, a bare one does not.
  return [clock, epoch, backendEvents, floors, presenceChanged];
};

export const roomsOfSocket = ({ userId, rooms }: TrueSocket): RoomName[] => [roomOf.realm, roomOf.user(userId), ...rooms];

/** Every way in which Redis, the answers of the server API and the gateways' memory differ from the truth; empty when all is true. */
export async function differences(redis: Redis, emitter: Emitter, truth: Truth): Promise<string[]> {
  const { realm } = emitter;
  const [expected, actual] = [linesOf(realm, truth), await linesIn(redis, realm)];
  const found = [
    ...[...expected].filter((line) => !actual.has(line)).map((line) => `missing in Redis: ${line}`),
    ...[...actual].filter((line) => !expected.has(line)).map((line) => `too much in Redis: ${line}`),
  ];
  for (const each of truth.gateways) found.push(...memoryDifferences(each));
  found.push(...await sessionDifferences(redis, realm, truth), ...await seatDifferences(redis, realm, truth), ...await answerDifferences(new RealtimeService(emitter, redis), truth));
  return found;
}

function linesOf(realm: RealmId, { gateways }: Truth): Set<string> {
  const keys = keysOf(realm);
  const lines = new Set<string>();
  for (const { gateway, sockets } of gateways) {
    const id = gateway.transport.incarnation();
    for (const line of [`${keys.gateways} ${id}`, `${keys.revisions} ${id}`, keys.inbox(id)]) lines.add(line);
    for (const socket of sockets) {
      const { socketId, userId, zone } = socket;
      const zoneKey = zone === null ? '' : keys.roster(zone);
      lines.add(`${keys.socketsOf(id)} ${socketId} ${keys.user(userId)} ${zoneKey}`);
      lines.add(`${keys.user(userId)} ${socketId} ${id}`);
      if (zone !== null) lines.add(`${keys.roster(zone)} c-${userId}`);
      for (const room of roomsOfSocket(socket)) {
        lines.add(`${keys.room(room)} ${id}`);
        lines.add(`${keys.roomsOf(id)} ${room}`);
        if (room !== roomOf.user(userId)) lines.add(`${keys.members(room)} ${socketId}`);
      }
    }
  }
  return lines;
}

/** Everything of the realm that does not expire by itself, a line for each member of each key. */
async function linesIn(redis: Redis, realm: RealmId): Promise<Set<string>> {
  const { prefix } = keysOf(realm);
  const lines = new Set<string>();
  for (const key of await redis.keys(`${prefix}*`)) {
    if (standing(realm).includes(key) || (await redis.pttl(key)) !== -1) continue;
    for (const line of await membersOf(redis, key)) lines.add(line);
  }
  return lines;
}

async function membersOf(redis: Redis, key: string): Promise<string[]> {
  switch (await redis.type(key)) {
    case 'set':
      return (await redis.smembers(key)).map((member) => `${key} ${member}`);
    case 'hash':
      return Object.entries(await redis.hgetall(key)).map(([field, value]) => `${key} ${field}${detailOf(value)}`);
    case 'none':
      return [];
    default:
      return [key];
  }
}

/** The part of a record that the truth knows: where a socket is, and what it holds. */
function detailOf(value: string): string {
  if (!value.startsWith('{')) return '';
  const record = JSON.parse(value) as { userKey?: string; zoneKey?: string; gateway?: string };
  if (record.userKey !== undefined) return ` ${record.userKey} ${record.zoneKey ?? ''}`;
  return record.gateway === undefined ? '' : ` ${record.gateway}`;
}

function memoryDifferences({ gateway: { nsp, transport }, sockets }: TrueGateway): string[] {
  const found: string[] = [];
  const rooms = new Map<string, Set<string>>();
  const enter = (room: string, socketId: string): void => void rooms.set(room, (rooms.get(room) ?? new Set()).add(socketId));
  for (const socket of sockets) for (const room of [socket.socketId, ...roomsOfSocket(socket)]) enter(room, socket.socketId);
  const memberships = (map: ReadonlyMap<string, ReadonlySet<string>>): string => [...map].map(([room, ids]) => `${room}: ${[...ids].sort().join(' ')}`).sort().join(' | ');
  const [expected, actual] = [memberships(rooms), memberships(nsp.adapter.rooms)];
  const id = transport.incarnation();
  if (expected !== actual) found.push(`members on ${id}: ${actual} instead of ${expected}`);
  if (nsp.adapter.sids.size !== sockets.length || nsp.sockets.size !== sockets.length) found.push(`${nsp.sockets.size} sockets on ${id}, ${nsp.adapter.sids.size} with rooms, instead of ${sockets.length}`);
  const { sockets: registered, directory } = transport.stats() as { sockets: number; directory: { rooms: number; pending: number; waiting: number } };
  const roomsHere = new Set(sockets.flatMap(roomsOfSocket)).size;
  if (registered !== sockets.length) found.push(`${registered} sockets registered on ${id} instead of ${sockets.length}`);
  if (directory.rooms !== roomsHere || directory.pending + directory.waiting > 0) found.push(`${id} believes in ${JSON.stringify(directory)} instead of ${roomsHere} rooms`);
  return found;
}

/** Every socket continues a session that says where it is, so that it could be resumed from here on; nobody has another one that is open. */
async function sessionDifferences(redis: Redis, realm: RealmId, { gateways }: Truth): Promise<string[]> {
  const found: string[] = [];
  const keys = keysOf(realm);
  for (const { sockets } of gateways) {
    for (const socket of sockets) {
      const { pid, socketId, userId } = socket;
      const { socketId: owner = 'nobody', rooms = {} } = JSON.parse((await redis.get(keys.session(pid))) ?? '{}') as { socketId?: string; rooms?: Record<string, [string, string][]> };
      const open = Object.entries(rooms).flatMap(([room, stays]) => (stays.at(-1)?.[1] === '' ? [room] : [])).sort().join(' ');
      const expected = [...roomsOfSocket(socket)].sort().join(' ');
      if (owner !== socketId) found.push(`the session of ${userId} belongs to ${owner} instead of ${socketId}`);
      else if (open !== expected) found.push(`the session of ${userId} is in ${open} instead of ${expected}`);
      if (!(await redis.sismember(keys.sessionsOf(userId), pid))) found.push(`the session of ${userId} is not in its index`);
    }
  }
  return found;
}

/** A seat belongs to a socket of the character that is there and in that zone. */
async function seatDifferences(redis: Redis, realm: RealmId, { gateways }: Truth): Promise<string[]> {
  const found: string[] = [];
  const keys = keysOf(realm);
  const present = gateways.flatMap(({ gateway, sockets }) => sockets.map((socket) => ({ ...socket, incarnation: gateway.transport.incarnation() })));
  for (const zone of new Set(present.map((socket) => socket.zone))) {
    if (zone === null) continue;
    for (const [characterId, seat] of Object.entries(await redis.hgetall(keys.roster(zone)))) {
      const { socketId, incarnation } = JSON.parse(seat) as { socketId: string; incarnation: string };
      const owner = present.find((socket) => socket.socketId === socketId && socket.incarnation === incarnation && socket.zone === zone);
      if (!owner || `c-${owner.userId}` !== characterId) found.push(`the seat of ${characterId} in ${zone} belongs to ${socketId} on ${incarnation}`);
    }
  }
  return found;
}

async function answerDifferences(realtime: RealtimeService, { gateways }: Truth): Promise<string[]> {
  const found: string[] = [];
  const present = gateways.flatMap(({ gateway, sockets }) => sockets.map((socket) => ({ ...socket, incarnation: gateway.transport.incarnation() })));
  for (const userId of ['nobody' as UserId, ...new Set(present.map((socket) => socket.userId))]) {
    const own = present.filter((socket) => socket.userId === userId);
    const expected = own.map(({ socketId, incarnation }) => `${socketId}@${incarnation}`).sort().join(' ');
    const actual = (await realtime.getUserSockets(userId)).map(({ socketId, gateway }) => `${socketId}@${gateway}`).sort().join(' ');
    if (actual !== expected) found.push(`getUserSockets(${userId}) answers ${actual} instead of ${expected}`);
    if ((await realtime.isUserOnline(userId)) !== own.length > 0) found.push(`isUserOnline(${userId}) is wrong`);
  }
  for (const zoneId of ['nowhere' as ZoneId, ...new Set(present.map(({ zone }) => zone))]) {
    if (zoneId === null) continue;
    const expected = new Set(present.filter(({ zone }) => zone === zoneId).map(({ userId }) => userId)).size;
    const actual = await realtime.getZonePopulation(zoneId);
    if (actual !== expected) found.push(`getZonePopulation(${zoneId}) is ${actual} instead of ${expected}`);
  }
  return found;
}
