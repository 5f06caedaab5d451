import { isRoomName, parseRoom, roomKinds, type RoomKind, type RoomName } from '@skirmish/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join } from './_gateway.ts';
import { putInCombat, type RoomsBench, startRoomsBench } from './_rooms.ts';

const hostileUser = 'auth0|x';
const percentUser = 'auth0%7Cx';

let bench: RoomsBench;
let clients: Client[];
beforeAll(async () => {
  // Announcements of presence change keys, whenever they come.
  bench = await startRoomsBench([hostileUser, percentUser, 'p 1:*{main}'], { PRESENCE_GRACE_MS: '600000' });
  clients = [await join(bench.gateways[0]!, 'p1'), await join(bench.gateways[0]!, hostileUser), await join(bench.gateways[0]!, percentUser)];
});
afterAll(async () => {
  for (const client of clients) client[Symbol.dispose]();
  await bench[Symbol.asyncDispose]();
});

/** Everything that a refused join could have touched. */
async function traces(userId: string): Promise<object> {
  const { socket } = bench.session(0, userId);
  return { keys: await bench.keys(), rooms: [...bench.served(0).nsp.adapter.rooms.keys()].sort(), own: [...socket.rooms].sort(), connected: socket.connected };
}

/** A member of one's own room of each kind that has members in this gateway, and a room of others. */
const rooms: Record<RoomKind, { member: string | null; foreign: string | null }> = {
  realm: { member: 'realm', foreign: null },
  user: { member: 'user:p1', foreign: 'user:p2' },
  zone: { member: 'zone:meadow', foreign: 'zone:forest' },
  guild: { member: 'guild:red', foreign: 'guild:blue' },
  combat: { member: 'combat:mine', foreign: 'combat:theirs' },
  'combat-watch': { member: null, foreign: 'combat-watch:mine' },
  party: { member: null, foreign: 'party:mine' },
};

describe.each(roomKinds)('a room of the kind %s', (kind) => {
  const { member, foreign } = rooms[kind];

  it.each(member === null ? [] : [member])('lets its members in: %s', async (own) => {
    const session = bench.session(0, 'p1');
    if (kind === 'combat') putInCombat(session, 'mine');
    await bench.served(0).rooms.joinRoom(session, own as RoomName);
    expect(session.socket.rooms.has(own)).toBe(true);
    expect(bench.served(0).nsp.adapter.rooms.get(own)?.has(session.socketId)).toBe(true);
  });

  const refused: [string, string, string][] = [
    ...(foreign === null ? [] : ([['a foreign one', foreign, 'room/forbidden']] as [string, string, string][])),
    ['no id', kind === 'realm' ? 'realm:' : kind === 'user' ? 'user:' : `${kind}:`, 'room/not-found'],
    ['a second colon', `${kind}:a:b`, 'room/not-found'],
    ['a space', `${kind}:a b`, 'room/not-found'],
    ['a space before', ` ${member ?? foreign}`, 'room/not-found'],
    ['a line break behind', `${member ?? foreign}\n`, 'room/not-found'],
    ['a NUL behind', `${member ?? foreign}\0`, 'room/not-found'],
    ['capitals', (member ?? foreign ?? '').toUpperCase(), 'room/not-found'],
    ['a pattern', `${kind}:*`, 'room/not-found'],
    ['a hash tag', `${kind}:{main}`, 'room/not-found'],
    ['another realm before it', `{other}:${member ?? foreign}`, 'room/not-found'],
    ['another realm as namespace', `/realm/other/${member ?? foreign}`, 'room/not-found'],
    ['letters of another alphabet', `${kind}:mеadow`, 'room/not-found'],
    ['percent signs', `${kind}:%6Deadow%`, 'room/not-found'],
    ['half a surrogate', `${kind}:\ud800`, 'room/not-found'],
    ['far too long', `${kind}:${'x'.repeat(100_000)}`, 'room/not-found'],
    ['one character too long', `${kind}:${'x'.repeat(kind === 'user' ? 129 : 65)}`, 'room/not-found'],
    ['a name of every object', `${kind}:__proto__`, kind === 'realm' ? 'room/not-found' : 'room/forbidden'],
  ];

  it.each(refused)('lets nobody in by %s', async (_what, name, code) => {
    const session = bench.session(0, 'p1');
    const before = await traces('p1');
    await expect(bench.served(0).rooms.joinRoom(session, name as RoomName)).rejects.toMatchObject({ code });
    expect(await traces('p1')).toEqual(before);
  });
});

describe('a name that is no room', () => {
  it.each([
    '', ' ', ':', 'realm:other', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'socket:p1', 'users:p1', 'user', 'zone', 'log:zone:meadow', 'room:zone:meadow',
    'members:realm', 'zone', '*', '{main}', '../realm', 'null', 'undefined', '0', '\u202eenoz', 'r'.repeat(1_000_000),
  ])('is not found: %.40j', async (name) => {
    const before = await traces('p1');
    await expect(bench.served(0).rooms.joinRoom(bench.session(0, 'p1'), name as RoomName)).rejects.toMatchObject({ code: 'room/not-found' });
    await bench.served(0).rooms.leaveRoom(bench.session(0, 'p1'), name as RoomName);
    await expect(bench.served(0).rooms.getRoomMembers(name as RoomName)).rejects.toMatchObject({ code: 'room/not-found' });
    await expect(bench.served(0).rooms.broadcastToRoom(name as RoomName, 'app:x', {})).rejects.toMatchObject({ code: 'room/not-found' });
    expect(await traces('p1')).toEqual(before);
  });

  it.each([undefined, null, 7, {}, [], ['zone:meadow'], Symbol('zone:meadow')])('is not found when it is no text at all: %s', async (name) => {
    await expect(bench.served(0).rooms.joinRoom(bench.session(0, 'p1'), name as never)).rejects.toMatchObject({ code: 'room/not-found' });
  });

  it('is the id of a socket, also of one that is there', async () => {
    const before = await traces('p1');
    for (const { socketId } of [bench.session(0, 'p1'), bench.session(0, hostileUser)]) {
      await expect(bench.served(0).rooms.joinRoom(bench.session(0, 'p1'), socketId as RoomName)).rejects.toMatchObject({ code: 'room/not-found' });
    }
    expect(await traces('p1')).toEqual(before);
  });
});

describe('user ids of an issuer', () => {
  it.each([
    [hostileUser, 'user:auth0%7Cx', null],
    [hostileUser, 'user:auth0|x', 'room/not-found'],
    [hostileUser, 'user:auth0%7cx', 'room/not-found'],
    [hostileUser, 'user:%61uth0%7Cx', 'room/not-found'],
    [hostileUser, 'user:auth0%257Cx', 'room/forbidden'],
    [percentUser, 'user:auth0%257Cx', null],
    [percentUser, 'user:auth0%7Cx', 'room/forbidden'],
    ['p1', 'user:%701', 'room/not-found'],
    ['p1', 'user:p%31', 'room/not-found'],
    ['p1', 'user:p1%00', 'room/not-found'],
    ['p1', 'user:p1%', 'room/not-found'],
    ['p1', 'user:p1%2', 'room/not-found'],
    ['p1', 'user:p1%C3%28', 'room/not-found'],
    ['p1', 'user:p1%E2%80%8B', 'room/not-found'],
    ['p1', 'user:P1', 'room/forbidden'],
  ])('%s and the room %s: %s', async (userId, name, code) => {
    const join = bench.served(0).rooms.joinRoom(bench.session(0, userId), name as RoomName);
    if (code === null) await join;
    else await expect(join).rejects.toMatchObject({ code });
    expect(bench.session(0, userId).socket.rooms.has(name)).toBe(code === null);
  });

  it('never share a room: what is sent to one does not reach the other', async () => {
    const [, hostile, percent] = clients;
    for (const userId of [hostileUser, percentUser]) {
      const [own = ''] = [...bench.session(0, userId).socket.rooms].filter((room) => room.startsWith('user:'));
      expect(isRoomName(own) && parseRoom(own)?.id).toBe(userId);
      await bench.served(0).rooms.broadcastToRoom(own as RoomName, 'app:to', { userId });
    }
    await bench.served(0).rooms.broadcastToRoom('realm' as RoomName, 'app:end', {});
    for (const client of [hostile!, percent!]) await client.hears('app:end' as never);
    expect(hostile?.payloads('app:to' as never)).toEqual([{ userId: hostileUser }]);
    expect(percent?.payloads('app:to' as never)).toEqual([{ userId: percentUser }]);
  });
});
