import { type CombatId, type GuildId, type PartyId, type RoomName, roomOf, type ZoneId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
let other: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
  other = await startGateway(world, { REALMS: gateway.realm });
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const realm = () => gateway.gateway.realms[0]!;
const sessionOf = (userId: string) => realm().sessions.of(userId as never)[0]!;

describe('the room service', () => {
  it.each([
    ['the zone of others', roomOf.zone('forest' as ZoneId), 'room/forbidden'],
    ['the guild of others', roomOf.guild('blue' as GuildId), 'room/forbidden'],
    ['a fight of others', roomOf.combat('x' as CombatId), 'room/forbidden'],
    ['a party', roomOf.party('x' as PartyId), 'room/forbidden'],
    ['watching a fight', roomOf.combatWatch('x' as CombatId), 'room/forbidden'],
    ['the user room of another', roomOf.user('p2' as never), 'room/forbidden'],
    ['the id of a socket', 'AbCdEf' as RoomName, 'room/not-found'],
  ])('does not let anybody into %s', async (_what, room, code) => {
    using client = await join(gateway, 'p1');
    await expect(realm().rooms.joinRoom(sessionOf('p1'), room)).rejects.toMatchObject({ code });
    expect(client.socket.connected).toBe(true);
  });

  it('lets members in and out again, and reports both', async () => {
    using client = await join(gateway, 'p3');
    const guild = roomOf.guild('red' as GuildId);
    const session = sessionOf('p3');
    await realm().rooms.leaveRoom(session, guild);
    expect(session.socket.rooms.has(guild)).toBe(false);
    await realm().rooms.leaveRoom(session, guild);
    await realm().rooms.joinRoom(session, guild);
    await realm().rooms.joinRoom(session, guild);
    expect(session.socket.rooms.has(guild)).toBe(true);
    expect(gateway.logs.filter((line) => line.includes('"room-joined"'))).toHaveLength(1);
    expect(gateway.logs.filter((line) => line.includes('"room-left"'))).toHaveLength(1);
    expect(client.socket.connected).toBe(true);
  });

  it('keeps a full room closed', async () => {
    using client = await join(gateway, 'p4');
    const session = sessionOf('p4');
    const zone = roomOf.zone('meadow' as ZoneId);
    await realm().rooms.leaveRoom(session, zone);
    const { character } = session.player;
    session.player = { ...session.player, character: { ...character!, zone: { ...character!.zone, capacity: 0 } } };
    await expect(realm().rooms.joinRoom(session, zone)).rejects.toMatchObject({ code: 'room/full', retryAfterMs: 5_000 });
    expect(client.socket.connected).toBe(true);
  });

  it('counts the members on all gateways, each once', async () => {
    using first = await join(gateway, 'p5');
    using second = await join(gateway, 'p5');
    using third = await join(other, 'p7');
    const { count, members } = await realm().rooms.getRoomMembers(roomOf.guild('red' as GuildId));
    expect(count).toBe(members.length);
    expect(members).toEqual(expect.arrayContaining([{ userId: 'p5', characterId: 'c5' }, { userId: 'p7', characterId: 'c7' }]));
    expect(members.filter(({ userId }) => userId === 'p5')).toHaveLength(1);
    expect([first, second, third].every(({ socket }) => socket.connected)).toBe(true);
  });

  it('broadcasts to all members on all gateways, and leaves the sender out where asked', async () => {
    using sender = await join(gateway, 'p9');
    using near = await join(gateway, 'p11');
    using far = await join(other, 'p13');
    const room = roomOf.guild('red' as GuildId);
    const { id } = await realm().rooms.broadcastToRoom(room, 'app:news', { n: 1 }, { except: sessionOf('p9'), idempotencyKey: `news-${gateway.realm}` });
    expect(id).toMatch(/^\d+-\d+$/);
    await realm().rooms.broadcastToRoom(room, 'app:news', { n: 2 });
    for (const client of [near, far]) {
      await eventually(() => client.payloads('app:news' as never).length === 2);
      expect(client.heard.filter(({ event }) => event === 'app:news').map(({ args }) => args[0])).toEqual([{ n: 1 }, { n: 2 }]);
    }
    await eventually(() => sender.payloads('app:news' as never).length === 1);
    expect(sender.payloads('app:news' as never)).toEqual([{ n: 2 }]);
  });

  it('refuses what cannot be written, and the process lives', async () => {
    await expect(realm().rooms.broadcastToRoom(roomOf.realm, 'app:bad', { big: 1n })).rejects.toThrow(TypeError);
  });
});

describe('the room of each kind', () => {
  it.each([
    ['user', () => roomOf.user('p15' as never)],
    ['zone', () => roomOf.zone('meadow' as ZoneId)],
    ['guild', () => roomOf.guild('red' as GuildId)],
    ['realm', () => roomOf.realm],
  ])('%s has its members from the first moment', async (kind, room) => {
    using client = await join(gateway, 'p15');
    await realm().rooms.broadcastToRoom(room(), `app:${kind}`, { kind });
    await eventually(() => client.heard.some(({ event }) => event === `app:${kind}`));
  });
});
