import { createDatabase } from '@skirmish/database';
import { createEmitter, type Emitter } from '@skirmish/emitter';
import type { GuildId, PartyId, RealmId, RoomName, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, type RedisServer, startRedis, timePasses, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { joinAs, type Player, startBareGateway } from './_bare-gateway.ts';
import { type Client, join, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { startSlot } from './_presence-slot.ts';
import { openRaw, type RawWebSocket } from './_raw-websocket.ts';

/** What Socket.IO keeps of a session in a client. */
const sessionOf = ({ socket }: Pick<Client, 'socket'>): { pid: string; offset: string } => {
  const { _pid: pid = '', _lastOffset: offset = '' } = socket as unknown as { _pid?: string; _lastOffset?: string };
  return { pid, offset };
};

const numbers = (player: Player): number[] => player.received.map(({ payload }) => Number(payload['n']));
const red = roomOf.guild('red' as GuildId);
const userRoom = (user: string): RoomName => roomOf.user(user as UserId);

/** One regression test for each known trap of Socket.IO's connection state recovery, named by its number in the catalogue of findings. */
describe('findings of the recovery', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, name: 'findings-resume', role: 'command' });
    await whenReady(redis);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  const emitterOf = (realm: string): Emitter => createEmitter({ redis, realm: realm as RealmId, epochGraceMs: 0 });

  describe('F13: who comes back', () => {
    let world: TestWorld;
    let gateway: TestGateway;
    let emitter: Emitter;
    beforeAll(async () => {
      world = await startWorld(20);
      gateway = await startGateway(world, { REDIS_URL: server.url });
      emitter = emitterOf(gateway.realm);
    });
    afterAll(async () => {
      await gateway[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    });

    /** A player who was there, lost the connection, and then missed one event for himself and one of his guild. */
    async function away(user: string): Promise<{ pid: string; offset: string }> {
      const client = await join(gateway, user);
      await emitter.emit({ rooms: [userRoom(user)] }, 'app:before', { user });
      await eventually(() => client.heard.some(({ event }) => event === 'app:before'));
      const session = sessionOf(client);
      client.socket.io.engine.close();
      await eventually(() => gateway.gateway.realms[0]?.sessions.of(user as UserId).length === 0);
      await emitter.emit({ rooms: [userRoom(user)] }, 'app:missed', { user });
      await emitter.emit({ rooms: [red] }, 'app:guild', { user });
      return session;
    }

    /** Asks to resume, byte by byte: what a client library would hide is seen. */
    async function ask(session: object, token: string): Promise<RawWebSocket> {
      const raw = await openRaw(gateway.url);
      raw.send(`40/realm/${gateway.realm},${JSON.stringify({ token, ...session })}`);
      await raw.hears(`4`);
      return raw;
    }
    /** As whoever commits a change of a user in the database does afterwards. */
    const marked = (user: string): Promise<void> => gateway.gateway.realms[0]!.changes.mark([user as UserId], { binding: true });
    /** Without positions, which come from time to time. */
    const eventsIn = (raw: RawWebSocket): string[] => raw.frames.flatMap((frame) => /"((?:app|session):[a-z-]+)"/.exec(frame)?.[1] ?? []).filter((event) => event !== 'session:position');

    it('hears nothing before it has shown a token, and leaves the session to its owner', async () => {
      const session = await away('p1');
      for (const token of ['', 'rubbish', await tokenFor('p1', { ttlSeconds: -60 })]) {
        using raw = await ask(session, token);
        expect(await raw.hears('44/realm/')).toMatch(/auth\//);
        await timePasses(100, 'anything that comes late');
        expect(eventsIn(raw)).toEqual([]);
      }
      using owner = await ask(session, await tokenFor('p1'));
      await owner.hears('app:guild');
      expect(eventsIn(owner)).toEqual(['session:welcome', 'app:missed', 'app:guild']);
      expect(owner.frames.find((frame) => frame.startsWith('40'))).toContain(session.pid);
    });

    it('hears nothing of a session that is another user\'s, and is told to begin anew', async () => {
      const session = await away('p3');
      using thief = await ask(session, await tokenFor('p4'));
      await thief.hears('session:reload');
      expect(eventsIn(thief)).toEqual(['session:welcome', 'session:reload']);
      expect(thief.frames.join()).not.toContain('app:missed');
      expect(thief.frames.find((frame) => frame.startsWith('40'))).not.toContain(session.pid);
      using owner = await ask(session, await tokenFor('p3'));
      await owner.hears('app:guild');
    });

    it('banned meanwhile is refused, and not one packet of what was missed leaves the server', async () => {
      const session = await away('p5');
      await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
      await database.db.insertInto('sanctions').values({ user_id: 'p5', kind: 'ban', reason: 'test', created_by: 'test' }).execute();
      await marked('p5');
      using raw = await ask(session, await tokenFor('p5'));
      expect(await raw.hears('44/realm/')).toContain('auth/banned');
      await timePasses(100, 'anything that comes late');
      expect(eventsIn(raw)).toEqual([]);
      await eventually(async () => { expect(await redis.exists(keysOf(gateway.realm as RealmId).user('p5' as UserId))).toBe(0); });
    });

    it('is in the rooms of now and not in those of then: nothing of a guild that was left, missed or live', async () => {
      const session = await away('p7');
      await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
      await database.db.deleteFrom('guild_members').where('user_id', '=', 'p7').execute();
      await marked('p7');
      using raw = await ask(session, await tokenFor('p7'));
      await raw.hears('app:missed');
      await emitter.emit({ rooms: [red] }, 'app:guild', { live: true });
      await emitter.emit({ rooms: [userRoom('p7')] }, 'app:after', {});
      await raw.hears('app:after');
      expect(eventsIn(raw).filter((event) => event.startsWith('app:'))).toEqual(['app:missed', 'app:after']);
      const [realm] = gateway.gateway.realms;
      const [socketId = ''] = realm?.nsp.adapter.rooms.get(userRoom('p7')) ?? [];
      expect(realm?.nsp.adapter.rooms.get(red)?.has(socketId) ?? false).toBe(false);
      await eventually(async () => { expect(await redis.hexists(keysOf(gateway.realm as RealmId).members(red), socketId)).toBe(0); });
    });
  });

  it('F14: what is emitted while a resume is read, authorised and answered arrives once, in order, and the client stays recovered', async () => {
    const realm = uniqueRealm();
    const emitter = emitterOf(realm);
    const party = roomOf.party('f14' as PartyId);
    let n = 0;
    const speak = async (): Promise<void> => {
      for (let i = 0; i < 20; i += 1) await emitter.emit({ rooms: i % 3 === 0 ? [userRoom('f14')] : [party] }, 'app:n', { n: (n += 1) });
    };
    let connects = 0;
    const duringResume = (): Promise<void> => (connects > 0 ? speak() : Promise.resolve());
    await using gateway = await startBareGateway(server.url, realm, {}, duringResume, async () => {
      await duringResume();
      return [roomOf.realm, userRoom('f14'), party];
    });
    const player = await joinAs(gateway.url, 'f14', [party]);
    for (connects = 1; connects <= 5; connects += 1) {
      await speak();
      const { welcomes } = player;
      // Once with the reader behind, once with it ahead.
      if (connects % 2 === 0) gateway.transport.reader.hold();
      player.socket.io.engine.close();
      await eventually(() => player.welcomes > welcomes, { timeoutMs: 10_000, what: 'the next welcome' });
      gateway.transport.reader.release();
      expect(player.socket.recovered).toBe(true);
      await speak();
    }
    await eventually(() => numbers(player).includes(n));
    expect(numbers(player)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
    player.close();
  });

  describe('F22: the record of a session', () => {
    let realm: string;
    beforeEach(() => { realm = uniqueRealm(); });

    it('stands before the first event and without a farewell: after a kill the next gateway continues', async () => {
      const doomed = await startSlot(server.port, realm as RealmId);
      await using other = await startBareGateway(server.url, realm);
      const party = roomOf.party('f22' as PartyId);
      const player = await joinAs(doomed.gateway.url, 'f22', [party]);
      const key = keysOf(realm as RealmId).session(sessionOf(player).pid);
      expect(await redis.exists(key)).toBe(1);
      expect(await redis.pttl(key)).toBeGreaterThan(30_000);
      // Nothing it does from here on reaches Redis, as if it had been killed.
      await doomed.proxy.close();
      const { welcomes } = player;
      (player.socket.io as unknown as { uri: string }).uri = new URL(other.url).origin;
      player.socket.io.engine.close();
      await emitterOf(realm).emit({ rooms: [party] }, 'app:n', { n: 1 });
      await eventually(() => player.welcomes > welcomes, { timeoutMs: 10_000, what: 'the next welcome' });
      await emitterOf(realm).emit({ rooms: [party] }, 'app:n', { n: 2 });
      await eventually(() => player.received.length === 2);
      expect(player.socket.recovered).toBe(true);
      expect(numbers(player)).toEqual([1, 2]);
      player.close();
      await doomed.gateway.stop();
    });

    it('a bad position does not burn it', async () => {
      await using gateway = await startBareGateway(server.url, realm);
      const player = await joinAs(gateway.url, 'f22');
      const good = sessionOf(player);
      player.socket.io.reconnection(false);
      player.socket.io.engine.close();
      await eventually(() => gateway.nsp.sockets.size === 0);
      for (const offset of ['99999999999999-0', 'rubbish']) {
        const other = await joinAs(gateway.url, 'f22', [], undefined, { pid: good.pid, offset });
        expect(other.socket.recovered).toBe(false);
        other.close();
      }
      await emitterOf(realm).emit({ rooms: [userRoom('f22')] }, 'app:n', { n: 1 });
      player.socket.connect();
      await eventually(() => player.received.length === 1);
      expect(player.socket.recovered).toBe(true);
      player.close();
    });

    it('is small, expires, holds no secret, and there is one for each client however often it comes back', async () => {
      await using world = await startWorld(2);
      await using gateway = await startGateway(world, { REDIS_URL: server.url });
      const client = await join(gateway, 'p1', { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 });
      const keys = keysOf(gateway.realm as RealmId);
      for (let times = 1; times <= 10; times += 1) {
        client.socket.io.engine.close();
        await eventually(() => client.payloads('session:welcome').length > times, { timeoutMs: 10_000 });
      }
      const records = await redis.keys(`${keys.prefix}session:*`);
      expect(records).toEqual([keys.session(sessionOf(client).pid)]);
      const record = (await redis.get(records[0] ?? '')) ?? '';
      expect(record.length).toBeLessThan(1_500);
      const { auth } = client.socket;
      expect(record).not.toContain((auth as { token: string }).token);
      expect(record).not.toMatch(/eyJ|token"|email|address|cookie/i);
      expect(await redis.pttl(records[0] ?? '')).toBeGreaterThan(0);
      client.socket.disconnect();
      // Left on purpose: there is nothing to come back to.
      await eventually(async () => { expect(await redis.keys(`${keys.prefix}session*`)).toEqual([]); });
    });
  });
});
