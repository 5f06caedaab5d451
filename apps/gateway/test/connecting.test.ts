import { randomUUID } from 'node:crypto';
import { createDatabase } from '@skirmish/database';
import { signRefreshToken } from '@skirmish/auth';
import { type CombatId, roomOf, type UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, connected, join, refusalOf, secret, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const realmOf = ({ gateway: { realms } }: TestGateway) => realms[0]!;

describe('the welcome', () => {
  it('is the first event, has everything that the contract lists, and carries a position', async () => {
    using client = await join(gateway, 'p1');
    const [first] = client.heard;
    expect(first?.event).toBe('session:welcome');
    expect(first?.args[0]).toEqual({
      protocol: 1,
      userId: 'p1',
      characterId: 'c1',
      realm: gateway.realm,
      recovered: false,
      serverTimeMs: expect.any(Number),
      tokenExpiresAtMs: expect.any(Number),
      rooms: ['realm', 'user:p1', 'zone:meadow', 'guild:red'],
      zone: { id: 'meadow', name: 'Meadow', width: 1000, height: 1000, self: { x: 401, y: 400 } },
      party: null,
      guild: { id: 'red', name: 'Red' },
      combats: [],
    });
    expect(first?.args[1]).toMatch(/^\d+-\d+$/);
    expect(client.payloads('session:reload')).toEqual([]);
    const [server] = realmOf(gateway).sessions.of('p1' as never);
    expect([...server!.socket.rooms].sort()).toEqual(['guild:red', 'realm', server!.socketId, 'user:p1', 'zone:meadow'].sort());
  });

  it('is followed by session:reload when the client tried to resume', async () => {
    using client = clientOf(gateway, { token: await tokenFor('p2'), pid: 'gone', offset: '1-1' });
    await connected(client);
    expect(await client.hears('session:reload')).toEqual({ reason: 'not-recoverable' });
    expect(client.heard.slice(0, 2).map(({ event }) => event)).toEqual(['session:welcome', 'session:reload']);
  });

  it('is the same over long-polling', async () => {
    using client = await join(gateway, 'p3', { transports: ['polling'] });
    expect(client.heard[0]?.event).toBe('session:welcome');
  });

  it('speaks for a user without a character as well', async () => {
    await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
    await database.db.insertInto('users').values({ user_id: 'auth0|guest', name: 'Guest' }).execute();
    using client = await join(gateway, 'auth0|guest');
    const [welcome] = client.payloads('session:welcome');
    expect(welcome).toMatchObject({ userId: 'auth0|guest', characterId: null, zone: null, rooms: ['realm', 'user:auth0%7Cguest'] });
    expect(await client.ask('character:move', { seq: 1, x: 1, y: 1 })).toMatchObject({ ok: false, error: { code: 'character/not-found' } });
  });
});

describe('the token', () => {
  it('is taken from auth, else from the query, else from the bearer header', async () => {
    const [first, second, third] = await Promise.all([tokenFor('p4'), tokenFor('p5'), tokenFor('p6')]);
    const bearer = { extraHeaders: { authorization: `Bearer ${third}` } };
    for (const [auth, options, expected] of [
      [{ token: first }, { ...bearer, query: { token: second } }, 'p4'],
      [{}, { ...bearer, query: { token: second } }, 'p5'],
      [{}, bearer, 'p6'],
    ] as const) {
      using client = clientOf(gateway, auth, options);
      await connected(client);
      expect(await client.hears('session:welcome')).toMatchObject({ userId: expected });
    }
  });

  it('is in no handshake and in no log line afterwards', async () => {
    const token = await tokenFor('p7');
    using client = clientOf(gateway, { token }, { query: { token }, extraHeaders: { authorization: `Bearer ${token}`, cookie: `t=${token}` } });
    await connected(client);
    await client.hears('session:welcome');
    const [session] = realmOf(gateway).sessions.of('p7' as never);
    expect(JSON.stringify([session!.socket.handshake, session!.socket.data])).not.toContain(token);
    expect(session!.socket.data).toEqual({ userId: 'p7', characterId: 'c7', roles: ['player'], expiresAtMs: expect.any(Number), device: expect.any(String) });
    expect(gateway.logs.join('')).not.toContain(token);
  });

  it.each([
    ['auth/missing', async () => ({})],
    ['auth/missing', async () => ({ token: '' })],
    ['auth/malformed', async () => ({ token: 'not.a-token' })],
    ['auth/malformed', async () => ({ token: { $ne: null } })],
    ['auth/malformed', async () => ({ token: `${'x'.repeat(9_000)}.y.z` })],
    ['auth/invalid', async () => ({ token: await tokenFor('p1', { secret: 'another-secret-that-is-also-long-enough' }) })],
    ['auth/invalid', async () => ({ token: (await signRefreshToken({ secret, userId: 'p1', ttlSeconds: 60, familyId: randomUUID(), tokenId: randomUUID() })).token })],
    ['auth/invalid', async () => ({ token: await tokenFor('nobody-of-this-name') })],
    ['auth/invalid', async () => ({ token: await tokenFor('p1', { characterId: 'c2' }) })],
    ['auth/expired', async () => ({ token: await tokenFor('p1', { nowMs: Date.now() - 120_000, ttlSeconds: 60 }) })],
    ['auth/wrong-realm', async () => ({ token: await tokenFor('p1', { realm: 'elsewhere' }) })],
    ['client/too-old', async () => ({ token: await tokenFor('p1'), protocol: 0 })],
  ] as const)('is refused with %s', async (code, auth) => {
    using client = clientOf(gateway, await auth());
    const refusal = await refusalOf(client);
    expect(refusal.data).toEqual({ code, message: refusal.message, retry: 'never' });
  });

  it('may name one of the own characters and the realm', async () => {
    using client = clientOf(gateway, { token: await tokenFor('p9', { characterId: 'c9', realm: gateway.realm }), protocol: 1 });
    await connected(client);
    expect(await client.hears('session:welcome')).toMatchObject({ characterId: 'c9' });
  });

  it('can be renewed by its own user only', async () => {
    using client = await join(gateway, 'p10');
    const later = await tokenFor('p10', { ttlSeconds: 6_000 });
    const answer = await client.ask<{ tokenExpiresAtMs: number }>('session:refresh', { token: later });
    expect(answer).toMatchObject({ ok: true });
    expect(answer.ok && answer.data.tokenExpiresAtMs).toBeGreaterThan(Date.now() + 5_000_000);
    expect(await client.ask('session:refresh', { token: await tokenFor('p11') })).toMatchObject({ ok: false, error: { code: 'auth/invalid' } });
    // [SES3] A refused one changes nothing.
    expect(await client.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    expect(client.payloads('session:closed')).toEqual([]);
  });
});

describe('what happens while a player connects', () => {
  /** Reading 1 is the one before the connection is registered. */
  const readingsOf = (userId: string, during: (reading: number) => Promise<void>) => {
    const { players } = realmOf(gateway).gateway;
    const get = players.get.bind(players);
    const readings = { count: 0 };
    players.get = async (query, mark) => {
      const player = await get(query, mark);
      if (query.userId === userId) await during((readings.count += 1));
      return player;
    };
    return { readings, [Symbol.dispose]: () => { players.get = get; } };
  };

  it('is heard after the welcome, in order', async () => {
    const { transport } = realmOf(gateway);
    const rooms = [roomOf.user('p14' as UserId)];
    await join(gateway, 'p14').then((first) => { first[Symbol.dispose](); });
    using _during = readingsOf('p14', async (reading) => {
      for (const n of reading === 2 ? [1, 2, 3] : []) await transport.emitter.emit({ rooms }, 'app:between', { n });
    });
    using client = await join(gateway, 'p14');
    await eventually(() => client.payloads('app:between' as never).length === 3);
    expect(client.heard[0]?.event).toBe('session:welcome');
    expect(client.payloads('app:between' as never)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it('a fight that begins then is in the welcome, with all of its events', async () => {
    await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
    const { transport } = realmOf(gateway);
    const combatId = 'fight-of-p15' as CombatId;
    await join(gateway, 'p15').then((first) => { first[Symbol.dispose](); });
    const fight = { combat_id: combatId, realm: gateway.realm, zone_id: 'meadow', status: 'open', version: 1, turn: 1, seed: '00', state: '{}' } as const;
    const begin = async (): Promise<void> => {
      await database.db.insertInto('combats').values(fight).execute();
      await database.db.insertInto('combatants').values({ combat_id: combatId, character_id: 'c15', user_id: 'p15', name: 'Player 15', side: 1, health: 100, health_max: 100 }).execute();
      await realmOf(gateway).changes.mark(['p15' as UserId]);
    };
    using during = readingsOf('p15', async (reading) => {
      if (reading === 1) await begin();
      if (reading === 3) await transport.emitter.emit({ rooms: [roomOf.combat(combatId)] }, 'app:blow', { reading });
    });
    using client = await join(gateway, 'p15');
    expect(client.payloads('session:welcome')[0]).toMatchObject({ combats: [combatId], rooms: expect.arrayContaining([roomOf.combat(combatId)]) });
    // Until a reading names no room that is new; a notice of the change may bring a further one.
    expect(during.readings.count).toBeGreaterThanOrEqual(3);
    expect(during.readings.count).toBeLessThanOrEqual(4);
    await eventually(() => client.payloads('app:blow' as never).length === 1);
    expect(await client.ask('combat:act', { commandId: 'a', combatId, turn: 1, action: { kind: 'attack', targetId: 'c1' } })).toMatchObject({ ok: true });
  });
});

describe('a connection', () => {
  it('to a realm that is not served is refused by Socket.IO itself', async () => {
    using client = clientOf({ url: gateway.url, realm: 'no-such-realm' }, { token: await tokenFor('p1') });
    expect((await refusalOf(client)).message).toBe('Invalid namespace');
  });

  it('above the fifth of a user closes the oldest, which is told why', async () => {
    const clients = [];
    for (let count = 0; count < 6; count++) clients.push(await join(gateway, 'p12'));
    const [oldest, ...others] = clients;
    expect(await oldest!.hears('session:closed')).toMatchObject({ code: 'session/replaced' });
    await eventually(() => !oldest!.socket.connected);
    expect(others.map(({ socket }) => socket.connected)).toEqual([true, true, true, true, true]);
    for (const client of clients) client[Symbol.dispose]();
    await eventually(() => realmOf(gateway).sessions.of('p12' as never).length === 0);
  });

  it('that ends while it is authenticated leaves nothing behind', async () => {
    const token = await tokenFor('p13');
    for (let count = 0; count < 20; count++) {
      const client = clientOf(gateway, { token });
      client.socket.io.engine.once('open', () => setTimeout(() => client.socket.io.engine.close(), count % 5));
    }
    await eventually(async () => {
      const { sessions, nsp, transport } = realmOf(gateway);
      expect(sessions.of('p13' as never)).toEqual([]);
      expect(nsp.sockets.size).toBe(sessions.size);
      expect((transport.stats() as { sockets: number }).sockets).toBe(sessions.size);
    });
  });
});
