import { type GuildId, type PartyId, type RoomName, roomOf, roomsOfSocketMax, type UserId, type ZoneId } from '@skirmish/protocol';
import { eventually, type RedisServer, startRedis, timePasses } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join } from './_gateway.ts';
import { putInCombat, putInZone, type RoomsBench, startRoomsBench } from './_rooms.ts';

let server: RedisServer;
let bench: RoomsBench;
beforeAll(async () => {
  // Of its own, since its commands are counted.
  server = await startRedis({ appendOnly: false });
  bench = await startRoomsBench([], { REDIS_URL: server.url, QUEUE_REDIS_URL: server.url });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await server.stop();
});

const enter = (index: number, userId: string): Promise<Client> => join(bench.gateways[index]!, userId);
const guild = roomOf.guild('red' as GuildId);
const logged = (word: string): number => bench.gateways.flatMap(({ logs }) => logs).filter((line) => line.includes(`"${word}"`)).length;
const codeOf = (attempt: Promise<unknown>): Promise<string> => attempt.then(() => 'in', (error: unknown) => (error as { code: string }).code);

describe('the room service', () => {
  it('lets members in and out again, once each, and reports both', async () => {
    using _client = await enter(0, 'p3');
    const session = bench.session(0, 'p3');
    const { rooms } = bench.served(0);
    await rooms.leaveRoom(session, guild);
    expect(session.socket.rooms.has(guild)).toBe(false);
    await rooms.leaveRoom(session, guild);
    await Promise.all([rooms.joinRoom(session, guild), rooms.joinRoom(session, guild)]);
    await rooms.joinRoom(session, guild);
    expect(session.socket.rooms.has(guild)).toBe(true);
    expect([logged('room-joined'), logged('room-left')]).toEqual([1, 1]);
    expect(rooms.changing).toBe(0);
  });

  it('makes the changes of a session one after the other, in the order in which they were asked for', async () => {
    using _client = await enter(0, 'p3');
    const session = bench.session(0, 'p3');
    const { rooms } = bench.served(0);
    const done: string[] = [];
    const changes = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? rooms.leaveRoom(session, guild) : rooms.joinRoom(session, guild)).then(() => void done.push(`${i}`)));
    await Promise.all(changes);
    expect(done).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    expect(session.socket.rooms.has(guild)).toBe(true);
  });

  it('keeps a connection in the rooms that make it one', async () => {
    using client = await enter(0, 'p3');
    const session = bench.session(0, 'p3');
    for (const room of [roomOf.realm, roomOf.user('p3' as UserId)]) {
      await expect(bench.served(0).rooms.leaveRoom(session, room)).rejects.toMatchObject({ code: 'room/forbidden' });
      expect(session.socket.rooms.has(room)).toBe(true);
    }
    expect(client.socket.connected).toBe(true);
  });

  it('bounds the rooms of a socket', async () => {
    using _client = await enter(0, 'p3');
    const session = bench.session(0, 'p3');
    const { rooms } = bench.served(0);
    const missing = roomsOfSocketMax - (session.socket.rooms.size - 1);
    for (let n = 0; n <= missing; n += 1) putInCombat(session, `many-${n}`);
    await Promise.all(Array.from({ length: missing }, (_, n) => rooms.joinRoom(session, `combat:many-${n}` as RoomName)));
    const last = `combat:many-${missing}` as RoomName;
    await expect(rooms.joinRoom(session, last)).rejects.toMatchObject({ code: 'room/too-many' });
    await rooms.leaveRoom(session, 'combat:many-0' as RoomName);
    await rooms.joinRoom(session, last);
    expect(session.socket.rooms.size - 1).toBe(roomsOfSocketMax);
  }, 60_000);

  it('answers who is in by one look-up, each once, on whatever gateway, and is right at once after a join and a leave', async () => {
    using _first = await enter(0, 'p5');
    using _second = await enter(1, 'p5');
    using _third = await enter(2, 'p7');
    const membersAt = async (index: number): Promise<string[]> => (await bench.served(index).rooms.getRoomMembers(guild)).members.map(({ userId, characterId }) => `${userId} ${characterId}`).sort();
    await eventually(async () => expect(await membersAt(1)).toEqual(['p5 c5', 'p7 c7']));
    expect(await bench.served(0).rooms.getRoomMembers(guild)).toMatchObject({ count: 2, complete: true });
    const session = bench.session(2, 'p7');
    for (let n = 0; n < 10; n += 1) {
      await bench.served(2).rooms.leaveRoom(session, guild);
      await eventually(async () => expect(await membersAt(0)).toEqual(['p5 c5']));
      await bench.served(2).rooms.joinRoom(session, guild);
      await eventually(async () => expect(await membersAt(0)).toEqual(['p5 c5', 'p7 c7']));
    }
    const calls = async (): Promise<number> => Number(/total_commands_processed:(\d+)/.exec(await bench.redis.info('stats'))?.[1]);
    const callsWhile = async (work: () => Promise<unknown>): Promise<number> => {
      const before = await calls();
      await work();
      return (await calls()) - before;
    };
    const since = performance.now();
    const asked = await callsWhile(async () => { for (let n = 0; n < 200; n += 1) await bench.served(0).rooms.getRoomMembers(guild); });
    // What the gateways do by themselves in the same time is no part of it.
    const tookMs = performance.now() - since;
    const besides = await callsWhile(() => timePasses(tookMs, 'as long without a question'));
    expect((asked - besides) / 200).toBeLessThan(4);
  });

  it('does not answer for the room of a user, whose sockets are asked for otherwise', async () => {
    await expect(bench.served(0).rooms.getRoomMembers(roomOf.user('p5' as UserId))).rejects.toMatchObject({ code: 'room/not-found' });
  });

  it('broadcasts to all members on all gateways, and leaves the sender out where asked', async () => {
    using sender = await enter(0, 'p9');
    using same = await enter(1, 'p9');
    using near = await enter(0, 'p11');
    using far = await enter(2, 'p13');
    using stranger = await enter(2, 'p2');
    const { rooms } = bench.served(0);
    const { id } = await rooms.broadcastToRoom(guild, 'app:news', { n: 1 }, { except: bench.session(0, 'p9'), idempotencyKey: `news-${bench.gateways[0]!.realm}` });
    const repeated = await rooms.broadcastToRoom(guild, 'app:news', { n: 1 }, { except: bench.session(0, 'p9'), idempotencyKey: `news-${bench.gateways[0]!.realm}` });
    expect(id).toMatch(/^\d+-\d+$/);
    expect(repeated.id).toBe(id);
    await rooms.broadcastToRoom(guild, 'app:news', { n: 2 });
    await rooms.broadcastToRoom(roomOf.realm, 'app:end', {});
    for (const client of [sender, same, near, far, stranger]) await client.hears('app:end' as never);
    const heard = [sender, same, near, far, stranger].map((client) => client.payloads<{ n: number }>('app:news' as never).map(({ n }) => n));
    expect(heard).toEqual([[2], [1, 2], [1, 2], [1, 2], []]);
  });

  it('refuses what cannot be written, and the process lives', async () => {
    await expect(bench.served(0).rooms.broadcastToRoom(roomOf.realm, 'app:bad', { big: 1n })).rejects.toThrow(TypeError);
  });
});

describe('the last place in a room', () => {
  it('goes to exactly one of those who want it at the same time on three gateways', async () => {
    using _clients = stackOf(await Promise.all([enter(0, 'p21'), enter(1, 'p22'), enter(2, 'p23')]));
    const sessions = ['p21', 'p22', 'p23'].map((userId, index) => bench.session(index, userId));
    const wins = [0, 0, 0];
    for (let round = 0; round < 40; round += 1) {
      const id = `tiny-${round}`;
      for (const session of sessions) putInZone(session, id, 1);
      const order = [0, 1, 2].map((i) => (i + round) % 3);
      const codes = await Promise.all(order.map((i) => codeOf(bench.served(i).rooms.joinRoom(sessions[i]!, `zone:${id}` as RoomName))));
      expect(codes.toSorted()).toEqual(['in', 'room/full', 'room/full']);
      wins[order[codes.indexOf('in')]!]! += 1;
      for (const [i, session] of sessions.entries()) await bench.served(i).rooms.leaveRoom(session, `zone:${id}` as RoomName);
    }
    expect(wins.every((count) => count > 0)).toBe(true);
  }, 60_000);

  it.each([2, 3, 5])('of %i is given so often, whoever comes from wherever', async (capacity) => {
    const users = Array.from({ length: 9 }, (_, n) => `p${21 + n}`);
    using _clients = stackOf(await Promise.all(users.map((userId, n) => enter(n % 3, userId))));
    const room = `zone:places-${capacity}` as RoomName;
    const attempts = users.map((userId, n) => {
      putInZone(bench.session(n % 3, userId), `places-${capacity}`, capacity);
      return codeOf(bench.served(n % 3).rooms.joinRoom(bench.session(n % 3, userId), room));
    });
    const codes = await Promise.all(attempts);
    expect(codes.filter((code) => code === 'in')).toHaveLength(capacity);
    expect(codes.filter((code) => code === 'room/full')).toHaveLength(9 - capacity);
    await eventually(async () => expect((await bench.served(0).rooms.getRoomMembers(room)).count).toBe(capacity));
  });

  it('is one for all sockets of a user', async () => {
    using _clients = stackOf([await enter(0, 'p21'), await enter(1, 'p21'), await enter(2, 'p22')]);
    const [one, two, stranger] = [bench.session(0, 'p21'), bench.session(1, 'p21'), bench.session(2, 'p22')];
    for (const session of [one, two, stranger]) putInZone(session, 'own', 1);
    const room = 'zone:own' as RoomName;
    await bench.served(0).rooms.joinRoom(one, room);
    await bench.served(1).rooms.joinRoom(two, room);
    expect(await codeOf(bench.served(2).rooms.joinRoom(stranger, room))).toBe('room/full');
    await bench.served(0).rooms.leaveRoom(one, room);
    await eventually(async () => expect((await bench.served(2).rooms.getRoomMembers(room)).count).toBe(1));
    expect(await codeOf(bench.served(2).rooms.joinRoom(stranger, room))).toBe('room/full');
    await bench.served(1).rooms.leaveRoom(two, room);
    await eventually(async () => expect(await codeOf(bench.served(2).rooms.joinRoom(stranger, room))).toBe('in'));
  });

  it('is free again when its holder leaves or goes', async () => {
    using stays = await enter(1, 'p22');
    {
      using _goes = await enter(0, 'p21');
      const holder = bench.session(0, 'p21');
      putInZone(holder, 'lent', 1);
      await bench.served(0).rooms.joinRoom(holder, 'zone:lent' as RoomName);
      putInZone(bench.session(1, 'p22'), 'lent', 1);
      expect(await codeOf(bench.served(1).rooms.joinRoom(bench.session(1, 'p22'), 'zone:lent' as RoomName))).toBe('room/full');
    }
    await eventually(async () => expect(await codeOf(bench.served(1).rooms.joinRoom(bench.session(1, 'p22'), 'zone:lent' as RoomName))).toBe('in'));
    expect(stays.socket.connected).toBe(true);
  });

  it('is not kept by one whose socket went in the middle of the join', async () => {
    const room = 'zone:gone' as RoomName;
    for (let round = 0; round < 10; round += 1) {
      const client = await enter(0, 'p21');
      const session = bench.session(0, 'p21');
      putInZone(session, 'gone', 1);
      const attempt = codeOf(bench.served(0).rooms.joinRoom(session, room));
      if (round % 2 === 0) client.socket.disconnect();
      else session.socket.conn.close();
      expect(['in', 'server/unavailable']).toContain(await attempt);
      client.socket.disconnect();
    }
    using _stays = await enter(1, 'p22');
    putInZone(bench.session(1, 'p22'), 'gone', 1);
    await eventually(async () => expect(await codeOf(bench.served(1).rooms.joinRoom(bench.session(1, 'p22'), room))).toBe('in'));
    expect(bench.served(0).rooms.changing).toBe(0);
  });
});

describe('the room of each kind', () => {
  it.each([
    ['user', () => roomOf.user('p15' as UserId)],
    ['zone', () => roomOf.zone('meadow' as ZoneId)],
    ['guild', () => guild],
    ['realm', () => roomOf.realm],
  ])('%s has its members from the first moment', async (kind, room) => {
    using client = await enter(0, 'p15');
    await bench.served(0).rooms.broadcastToRoom(room(), `app:${kind}`, { kind });
    await eventually(() => client.heard.some(({ event }) => event === `app:${kind}`));
  });

  it('party has those whom an emission let in, and lets nobody else in', async () => {
    using client = await enter(0, 'p15');
    const party = roomOf.party('x' as PartyId);
    const session = bench.session(0, 'p15');
    await expect(bench.served(0).rooms.joinRoom(session, party)).rejects.toMatchObject({ code: 'room/forbidden' });
    await bench.served(1).transport.emitter.join({ rooms: [roomOf.user('p15' as UserId)] }, [party]);
    await bench.served(1).rooms.broadcastToRoom(party, 'app:party', {});
    await client.hears('app:party' as never);
    await eventually(async () => expect((await bench.served(2).rooms.getRoomMembers(party)).members).toEqual([{ userId: 'p15', characterId: 'c15' }]));
    await bench.served(0).rooms.leaveRoom(session, party);
    expect(session.socket.rooms.has(party)).toBe(false);
  });
});

function stackOf(clients: readonly Client[]): DisposableStack {
  const stack = new DisposableStack();
  for (const client of clients) stack.use(client);
  return stack;
}
