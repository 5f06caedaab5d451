import { type GuildId, type PartyId, type RoomName, roomOf, type UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Client, join } from './_gateway.ts';
import { putInCombat, putInZone, type RoomsBench, startRoomsBench } from './_rooms.ts';

let bench: RoomsBench;
let empty: object;
let timersBefore: number;
beforeAll(async () => {
  bench = await startRoomsBench();
  empty = await leftovers();
  // The first connections open the pools.
  for (const client of await enterAll()) client[Symbol.dispose]();
  await settled(empty, Infinity);
  timersBefore = timers();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** Kept for the resume window or for repetitions, each with an expiry of its own. */
const passing = /^(?:log|moves|session|sessions-of|emitted|lane-emitted|command):/;

/** Everything that a room can leave behind: keys without an expiry, members, belief, subscriptions, clocks. */
async function leftovers(): Promise<object> {
  const keys = await bench.keys();
  const lasting: string[] = [];
  for (const key of keys) {
    const ttl = await bench.redis.pttl(`{${bench.gateways[0]!.realm}}:${key}`);
    if (ttl === -1 || !passing.test(key)) lasting.push(key);
  }
  const gateways = bench.gateways.map((_, index) => {
    const { nsp, transport, zones, rooms, sessions } = bench.served(index);
    const { directory, sockets, volatileChannels } = transport.stats() as { directory: object; sockets: number; volatileChannels: number };
    return { rooms: [...nsp.adapter.rooms.keys()], sids: nsp.adapter.sids.size, directory, sockets, volatileChannels, zones: zones.size, changing: rooms.changing, sessions: sessions.size };
  });
  return { lasting: lasting.filter((key) => key !== 'backend-events'), gateways };
}

/** Idle connections of three pools of four have one each; a test makes dozens of joins. */
const timersOfPools = 12;
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

/** The same without presence, which is announced seconds after its causes. */
async function leftoversOfRooms(): Promise<object> {
  const { lasting, gateways } = (await leftovers()) as { lasting: string[]; gateways: object[] };
  return { lasting: lasting.filter((key) => !key.startsWith('presence-')), gateways };
}

/** Until the entries that linger for a second are gone. */
const settled = (before: object, timersMax: number, left = leftovers): Promise<void> =>
  eventually(async () => {
    expect(await left()).toEqual(before);
    expect(timers()).toBeLessThanOrEqual(timersMax);
  }, { timeoutMs: 45_000, what: 'nothing to be left' });

const users = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6'];
const enterAll = (): Promise<Client[]> => Promise.all(users.map((userId, n) => join(bench.gateways[n % 3]!, userId)));

it('rooms that were left, by their members or by emissions, leave nothing behind', async () => {
  const clients = await enterAll();
  const full = await leftoversOfRooms();
  expect(full).not.toEqual(empty);
  for (const [n, userId] of users.entries()) {
    const session = bench.session(n % 3, userId);
    const { zone } = session.player.character!;
    for (let i = 0; i < 5; i += 1) {
      putInCombat(session, `fight-${i}`);
      putInZone(session, `zone-${i}`, 3);
      const codes = [`combat:fight-${i}`, `zone:zone-${i}`].map((room) => bench.served(n % 3).rooms.joinRoom(session, room as RoomName).catch(() => undefined));
      await Promise.all(codes);
    }
    session.player = { ...session.player, character: { ...session.player.character!, zone } };
  }
  const party = roomOf.party('mixed' as PartyId);
  const { emitter } = bench.served(2).transport;
  await emitter.join({ rooms: users.map((userId) => roomOf.user(userId as UserId)) }, [party, roomOf.guild('green' as GuildId)]);
  await emitter.join({ rooms: [roomOf.user('nobody' as UserId)] }, [roomOf.party('of-nobody' as PartyId)]);
  await emitter.emit({ rooms: [party] }, 'app:n', {});
  for (const client of clients) await client.hears('app:n' as never);
  const joined = bench.session(0, 'p1').socket.rooms.size;
  expect(joined).toBeGreaterThan(12);
  await emitter.leave({ rooms: [party] }, [party, roomOf.guild('green' as GuildId)]);
  for (const [n, userId] of users.entries()) {
    const session = bench.session(n % 3, userId);
    const own = [...session.socket.rooms].filter((room) => /^(?:combat|zone:zone-)/.test(room));
    await Promise.all(own.map((room) => bench.served(n % 3).rooms.leaveRoom(session, room as RoomName)));
  }
  await settled(full, Infinity, leftoversOfRooms);
  for (const client of clients) client[Symbol.dispose]();
  await settled(empty, timersBefore + timersOfPools);
}, 120_000);

it('rooms whose members are gone leave nothing behind, however they went', async () => {
  for (let round = 0; round < 5; round += 1) {
    const clients = await enterAll();
    for (const [n, client] of clients.entries()) {
      const session = bench.session(n % 3, users[n]!);
      putInCombat(session, `last-${round}`);
      putInCombat(session, `next-${round}`);
      const joins = [`combat:last-${round}`, `combat:next-${round}`].map((room) => bench.served(n % 3).rooms.joinRoom(session, room as RoomName).catch(() => undefined));
      const emission = bench.served(n % 3).transport.emitter.join({ rooms: [roomOf.user(users[n] as UserId)] }, [roomOf.party(`last-${n}` as PartyId)]);
      // Some go after, some in the middle of a join, some by themselves, some by us, some without a word.
      if (n % 2 === 0) await Promise.all(joins);
      if (n % 3 === 0) client.socket.disconnect();
      else if (n % 3 === 1) session.socket.disconnect(true);
      else (client.socket.io.engine as unknown as { transport: { ws: { terminate(): void } } }).transport.ws.terminate();
      await Promise.all([...joins, emission]);
    }
  }
  await settled(empty, timersBefore + timersOfPools);
}, 120_000);
