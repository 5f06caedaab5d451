import { createDatabase, type Database, ensureDevelopmentUser } from '@skirmish/database';
import { roomOf, type UserId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, clientOf, connected, join, refusalOf, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { untilInTime, within } from './_in-time.ts';
import { callService, type CallOptions } from './_service-caller.ts';

let world: TestWorld;
let database: Database;
let gateways: TestGateway[];
let service: string;
beforeAll(async () => {
  world = await startWorld(60);
  database = createDatabase({ url: world.databaseUrl, poolMax: 2 });
  const first = await startGateway(world);
  gateways = [first, await startGateway(world, { REALMS: first.realm })];
  service = await tokenFor('backend', { roles: ['service'] });
});
afterAll(async () => {
  await database.close();
  for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const gatewayAt = (index: number): TestGateway => gateways[index]!;
const realmAt = (index: number) => gatewayAt(index).gateway.realms[0]!;
const call = (method: 'POST' | 'DELETE', path: string, body?: object, options: CallOptions = {}) =>
  callService(gatewayAt(0), method, path, { token: service, ...(body === undefined ? {} : { body }), ...options });
const sanction = (userId: string, body: object) => call('POST', `/v1/users/${userId}/sanctions`, body);
const channel = { kind: 'zone', id: 'meadow' };
const say = (client: Client, commandId: string) => client.ask('chat:send', { commandId, channel, text: 'hello' });
/** Limit of the wire contract for what a backend decides about a user, milliseconds. */
const everywhereMsMax = 1_000;
let messages = 0;
let players = 20;

describe('a ban', () => {
  it('closes every socket on every gateway within a second, told why, and shuts the door on all of them; lifted, the same token is good again', () => untilInTime(async () => {
    const [here, there] = [await join(gatewayAt(0), 'p1'), await join(gatewayAt(1), 'p1')];
    const inTime = within(everywhereMsMax);
    const untilMs = Date.now() + 600_000;
    expect((await sanction('p1', { kind: 'ban', reason: 'cheating', untilMs })).body).toMatchObject({ ok: true, data: { id: expect.stringMatching(/^sanction-\d+$/) } });
    await eventually(() => !here.socket.connected && !there.socket.connected);
    const wasInTime = inTime();
    for (const client of [here, there]) {
      expect(client.payloads('moderation:sanctioned')).toEqual([{ kind: 'banned', reason: 'cheating', untilMs }]);
      expect(client.payloads('session:closed')).toMatchObject([{ code: 'auth/banned' }]);
    }
    const token = await tokenFor('p1');
    for (const index of [0, 1]) {
      using client = clientOf(gatewayAt(index), { token });
      expect((await refusalOf(client)).data).toEqual({ code: 'auth/banned', message: expect.any(String), retry: 'never' });
    }
    expect((await call('DELETE', '/v1/users/p1/sanctions/ban')).body).toMatchObject({ data: { lifted: 1 } });
    for (const index of [0, 1]) {
      using client = clientOf(gatewayAt(index), { token });
      await connected(client);
    }
    return wasInTime;
  }), 60_000);

  it('of a user who is away holds: the session cannot be resumed, and a cached reading is not believed', async () => {
    using client = await join(gatewayAt(1), 'p2', { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 10 });
    const refusals: string[] = [];
    client.socket.on('connect_error', (error: Error & { data?: { code: string } }) => void refusals.push(error.data?.code ?? error.message));
    // Away: the transport is cut while nobody may come in.
    client.socket.io.reconnection(false);
    client.socket.io.engine.close();
    await eventually(() => realmAt(1).sessions.of('p2' as UserId).length === 0);
    await sanction('p2', { kind: 'ban', reason: 'cheating' });
    const { redis } = realmAt(0).transport;
    expect(await redis.exists(keysOf(realmAt(0).realm).sessionsOf('p2' as UserId))).toBe(0);
    client.socket.connect();
    await eventually(() => refusals.length > 0);
    expect(refusals).toEqual(['auth/banned']);
    expect(client.socket.recovered).toBe(false);
  });

  it('that falls between the reading of the player and the registration is found before CONNECT', async () => {
    const { players } = realmAt(0).gateway;
    await join(gatewayAt(0), 'p3').then((first) => { first[Symbol.dispose](); });
    const get = players.get.bind(players);
    players.get = async (query, mark) => {
      const player = await get(query, mark);
      if (query.userId === 'p3') {
        players.get = get;
        await sanction('p3', { kind: 'ban', reason: 'just now' });
      }
      return player;
    };
    using client = clientOf(gatewayAt(0), { token: await tokenFor('p3') });
    expect((await refusalOf(client)).data?.code).toBe('auth/banned');
    await eventually(async () => expect(await realmAt(0).transport.redis.exists(keysOf(realmAt(0).realm).user('p3' as UserId))).toBe(0));
  });

  it('that ended is over by itself', async () => {
    await sanction('p4', { kind: 'ban', reason: 'short', untilMs: Date.now() + 400 });
    const token = await tokenFor('p4');
    await eventually(async () => {
      using client = clientOf(gatewayAt(0), { token });
      await connected(client);
    });
  });
});

describe('a mute', () => {
  it('counts for live sockets on all gateways within a second, and its end too', () => untilInTime(async () => {
    using here = await join(gatewayAt(0), 'p5');
    using there = await join(gatewayAt(1), 'p5');
    const untilMs = Date.now() + 60_000;
    const inTime = within(everywhereMsMax);
    await sanction('p5', { kind: 'mute', reason: 'shouting', untilMs });
    for (const client of [here, there]) {
      await eventually(async () => expect(await say(client, `m${(messages += 1)}`)).toMatchObject({ ok: false, error: { code: 'chat/muted', retryAfterMs: expect.any(Number) } }));
    }
    const wasInTime = inTime();
    // Nobody sees that a muted user writes, either.
    for (const client of [here, there]) expect(await client.ask('chat:typing', { channel })).toMatchObject({ ok: false, error: { code: 'chat/muted', retryAfterMs: expect.any(Number) } });
    expect(await there.hears('moderation:sanctioned')).toEqual({ kind: 'muted', reason: 'shouting', untilMs });
    expect(here.socket.connected && there.socket.connected).toBe(true);
    await call('DELETE', '/v1/users/p5/sanctions/mute');
    for (const client of [here, there]) await eventually(async () => expect(await say(client, `m${(messages += 1)}`)).toMatchObject({ ok: true }));
    return wasInTime;
  }), 60_000);

  it('that comes while the player arrives is not missed', async () => {
    const { reread, transport } = realmAt(0);
    await join(gatewayAt(0), 'p6').then((first) => { first[Symbol.dispose](); });
    // Between the last reading and the arrival: where CONNECT is about to be answered.
    const settle = transport.settle.bind(transport);
    const noticed: UserId[] = [];
    transport.onReread((userIds) => void noticed.push(...userIds));
    transport.settle = async (...args) => {
      const arrival = await settle(...args);
      transport.settle = settle;
      await sanction('p6', { kind: 'mute', reason: 'early' });
      await eventually(() => noticed.includes('p6' as UserId));
      return arrival;
    };
    using client = await join(gatewayAt(0), 'p6');
    await eventually(() => reread.waiting === 0);
    let n = 0;
    await eventually(async () => expect(await say(client, `e${(n += 1)}`)).toMatchObject({ ok: false, error: { code: 'chat/muted' } }));
  });
});

describe('a kick', () => {
  it('closes every socket and every session that could be resumed; the user may connect anew', async () => {
    using client = await join(gatewayAt(1), 'p7');
    await sanction('p7', { kind: 'kick', reason: 'away too long' });
    await eventually(() => !client.socket.connected);
    expect(client.payloads('moderation:sanctioned')).toEqual([{ kind: 'kicked', reason: 'away too long' }]);
    expect(client.payloads('session:closed')).toMatchObject([{ code: 'session/disconnected', message: 'away too long' }]);
    client.socket.connect();
    await eventually(() => client.payloads('session:welcome').length === 2);
    expect(client.socket.recovered).toBe(false);
  });
});

describe('a sanction that ends a connection which has not been answered yet', () => {
  it.each([
    ['kick', 'p16', 'session/disconnected'],
    ['ban', 'p17', 'auth/banned'],
  ] as const)('%s: is told before it ends, as to everybody else', async (kind, userId, code) => {
    const { transport } = realmAt(0);
    // After the last look at the player, before CONNECT is answered: the gateway has heard of it, and nobody is there yet.
    const settle = transport.settle.bind(transport);
    transport.settle = async (...args) => {
      const arrival = await settle(...args);
      transport.settle = settle;
      await sanction(userId, { kind, reason: 'just now' });
      const { id } = await transport.emitter.emit({ rooms: [roomOf.user(userId as UserId)] }, 'app:mark', {});
      await transport.met(id);
      return arrival;
    };
    using client = clientOf(gatewayAt(0), { token: await tokenFor(userId) });
    await connected(client);
    await eventually(() => !client.socket.connected);
    expect(client.payloads('session:closed')).toMatchObject([{ code, message: 'just now' }]);
  });
});

describe('log out everywhere', () => {
  it('ends sockets and sessions, voids tokens issued before and on all gateways, also over session:refresh; one issued later is good', () => untilInTime(async () => {
    // Another one each time: a token from before the last time is void already.
    const userId = `p${(players += 1)}`;
    const old = await tokenFor(userId, { nowMs: Date.now() - 5_000 });
    const clients = [clientOf(gatewayAt(0), { token: old }), clientOf(gatewayAt(1), { token: old })];
    await Promise.all(clients.map(connected));
    const inTime = within(everywhereMsMax);
    expect((await call('POST', `/v1/users/${userId}/logout-everywhere`)).body).toMatchObject({ ok: true, data: { sessions: 2 } });
    await eventually(() => clients.every(({ socket }) => !socket.connected));
    const wasInTime = inTime();
    for (const { payloads } of clients) expect(payloads('session:closed')).toMatchObject([{ code: 'auth/revoked' }]);
    for (const index of [0, 1]) {
      using client = clientOf(gatewayAt(index), { token: old });
      expect((await refusalOf(client)).data).toMatchObject({ code: 'auth/revoked', retry: 'never' });
    }
    using fresh = clientOf(gatewayAt(1), { token: await tokenFor(userId, { nowMs: Date.now() + 2_000 }) });
    await connected(fresh);
    await fresh.hears('session:welcome');
    expect(await fresh.ask('session:refresh', { token: old })).toMatchObject({ ok: false, error: { code: 'auth/revoked' } });
    return wasInTime;
  }), 60_000);

  it('holds when Redis has lost its memory of it, because Postgres has not', async () => {
    const old = await tokenFor('p9', { nowMs: Date.now() - 5_000 });
    await call('POST', '/v1/users/p9/logout-everywhere');
    const keys = keysOf(realmAt(0).realm);
    await realmAt(0).transport.redis.del(keys.revoked('p9' as UserId));
    using client = clientOf(gatewayAt(0), { token: old });
    expect((await refusalOf(client)).data?.code).toBe('auth/revoked');
  });

  it('ends the refresh tokens of the user, too', async () => {
    const post = async (path: string, body: object) => (await callService(gatewayAt(0), 'POST', `/v1/dev/${path}`, { body })).body;
    const { data } = await post('token', { userId: 'p12' });
    await call('POST', '/v1/users/p12/logout-everywhere');
    expect(await post('refresh', { refreshToken: data?.['refreshToken'] })).toMatchObject({ ok: false, error: { code: 'auth/revoked' } });
    const again = await post('token', { userId: 'p12' });
    expect(await post('refresh', { refreshToken: again.data?.['refreshToken'] })).toMatchObject({ ok: true });
  });

  it('voids a token, too, that a refresh token was exchanged for while it was under way', async () => {
    const { body } = await callService(gatewayAt(0), 'POST', '/v1/dev/token', { body: { userId: 'p15' } });
    expect(body.ok).toBe(true);
    const { promise: exchanged, resolve: exchange } = Promise.withResolvers<undefined>();
    // As an exchange does it: the row is locked until it is written, and the access token is signed already.
    const { promise: locked, resolve: lock } = Promise.withResolvers<undefined>();
    const exchanging = database.db.transaction().execute(async (transaction) => {
      await transaction.selectFrom('refresh_families').select('family_id').where('user_id', '=', 'p15').forUpdate().execute();
      lock(undefined);
      await exchanged;
    });
    await locked;
    const loggingOut = call('POST', '/v1/users/p15/logout-everywhere');
    const waiting = () => database.db.selectFrom('service_audit').select('audit_id').where('target', '=', 'p15').where('action', '=', 'user.logout').execute();
    await eventually(async () => (await waiting()).length === 1);
    const nowMs = Date.now() + 1;
    await eventually(() => Date.now() > nowMs);
    const token = await tokenFor('p15', { nowMs });
    exchange(undefined);
    await exchanging;
    expect((await loggingOut).status).toBe(200);
    using client = clientOf(gatewayAt(1), { token });
    expect((await refusalOf(client)).data?.code).toBe('auth/revoked');
  });

  it('of nobody is user/not-found', async () => {
    expect(await call('POST', '/v1/users/nobody/logout-everywhere')).toMatchObject({ status: 404, body: { error: { code: 'user/not-found' } } });
  });
});

describe('a user of a realm that the gateway which was told does not serve', () => {
  it('cannot prolong a connection past the token that it has, once banned or logged out', async () => {
    await using other = await startGateway(world);
    const { gateway, realm } = other.gateway.realms[0]!;
    const old = await tokenFor('p14', { nowMs: Date.now() - 5_000 });
    using banned = await join(other, 'p13');
    using loggedOut = clientOf(other, { token: old });
    await connected(loggedOut);
    await sanction('p13', { kind: 'ban', reason: 'cheating' });
    await call('POST', '/v1/users/p14/logout-everywhere');
    // As after 30 s, when what was read at the connect is not believed any more.
    gateway.players.distrust(realm);
    expect(await banned.ask('session:refresh', { token: await tokenFor('p13') })).toMatchObject({ ok: false, error: { code: 'auth/banned' } });
    expect(await loggedOut.ask('session:refresh', { token: old })).toMatchObject({ ok: false, error: { code: 'auth/revoked' } });
    expect(await loggedOut.ask('session:refresh', { token: await tokenFor('p14', { nowMs: Date.now() + 2_000 }) })).toMatchObject({ ok: true });
  });
});

describe('a user who does not exist any more', () => {
  it('cannot prolong a connection past the token that it has', async () => {
    await ensureDevelopmentUser(database, 'deleted' as UserId);
    using client = await join(gatewayAt(0), 'deleted');
    await database.db.deleteFrom('characters').where('user_id', '=', 'deleted').execute();
    await database.db.deleteFrom('users').where('user_id', '=', 'deleted').execute();
    const { gateway, realm } = realmAt(0);
    gateway.players.distrust(realm);
    expect(await client.ask('session:refresh', { token: await tokenFor('deleted') })).toMatchObject({ ok: false, error: { code: 'auth/invalid' } });
  });
});

describe('sanctions', () => {
  it('are refused when they make no sense, and need the role of a service', async () => {
    for (const [body, path] of [
      [{ kind: 'warn', reason: 'x' }, 'kind'],
      [{ kind: 'ban', reason: '' }, 'reason'],
      [{ kind: 'ban', reason: 'a\u0000b' }, 'reason'],
      [{ kind: 'ban', reason: 'x', untilMs: 1 }, 'untilMs'],
      [{ kind: 'kick', reason: 'x', untilMs: Date.now() + 1_000_000 }, 'untilMs'],
    ] as const) {
      expect(await sanction('p10', body)).toMatchObject({ status: 400, body: { error: { code: 'payload/invalid', path } } });
    }
    for (const token of [await tokenFor('p10'), await tokenFor('mod1', { roles: ['moderator'] })]) {
      expect((await call('POST', '/v1/users/p10/sanctions', { kind: 'ban', reason: 'x' }, { token })).status).toBe(403);
    }
  });

  it('leave a line in the audit log each, with who, what and on whom, and a record for backends', async () => {
    await sanction('p11', { kind: 'mute', reason: 'audited' });
    await call('DELETE', '/v1/users/p11/sanctions/mute');
    await call('POST', '/v1/users/p11/logout-everywhere');
    const lines = await database.db.selectFrom('service_audit').select(['actor', 'action', 'details']).where('target', '=', 'p11').orderBy('audit_id').execute();
    expect(lines.map(({ actor, action }) => `${actor} ${action}`)).toEqual(['backend sanction.set', 'backend sanction.lift', 'backend user.logout']);
    expect(lines[0]?.details).toEqual({ kind: 'mute', reason: 'audited' });
    const stream = await realmAt(0).transport.redis.xrevrange(keysOf(realmAt(0).realm).backendEvents, '+', '-', 'COUNT', 50);
    const records = stream.map(([, fields]) => JSON.parse(fields[3] ?? '{}') as { type: string; data: object });
    expect(records.filter(({ type, data }) => type === 'sanction.set' && 'userId' in data && data.userId === 'p11').map(({ data }) => data)).toEqual([{ userId: 'p11', kind: 'muted', reason: 'audited' }]);
  });
});
