import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { signRefreshToken } from '@skirmish/auth';
import { type RefusalCode, refusals, type RealmId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, startRedis } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, connected, join, refusalOf, secret, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { ask, engineUrl } from './_polling.ts';
import { callService } from './_service-caller.ts';

/** What the gateway does with tokens that are refused; the forms of attack themselves stand in packages/auth/test/attacks.test.ts. */
let world: TestWorld;
let server: Awaited<ReturnType<typeof startRedis>>;
let redis: Redis;
let gateway: TestGateway;
let other: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  // Of its own, since everything that is said to it is listened to.
  server = await startRedis({ appendOnly: false });
  redis = createRedis({ url: server.url, name: 'test', role: 'command' });
  await whenReady(redis);
  gateway = await startGateway(world, { REDIS_URL: server.url });
  other = await startGateway(world, { REDIS_URL: server.url, REALMS: gateway.realm, TOKEN_IN_QUERY: 'false' });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  redis.disconnect();
  await server.stop();
  await world[Symbol.asyncDispose]();
});

const realmOf = ({ gateway: { realms } }: TestGateway) => realms[0]!;
const refreshTokenFor = async (userId: string): Promise<string> => (await signRefreshToken({ secret, userId, ttlSeconds: 60, familyId: randomUUID(), tokenId: randomUUID() })).token;

/** Every command that reaches Redis while the work is done, as text. Over a plain connection, since the client stumbles over its own MONITOR. */
async function saidToRedis(work: () => Promise<unknown>): Promise<string[]> {
  const monitor = connect(server.port, '127.0.0.1');
  let said = '';
  monitor.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  monitor.write('MONITOR\r\n');
  await eventually(() => said.startsWith('+OK'));
  await work();
  const end = `the end ${randomUUID()}`;
  await redis.echo(end);
  await eventually(() => said.includes(end));
  monitor.destroy();
  return said.split('\r\n');
}

async function ban(userId: string): Promise<void> {
  const answer = await callService(gateway, 'POST', `/v1/users/${userId}/sanctions`, { token: await tokenFor('backend', { roles: ['service'] }), body: { kind: 'ban', reason: 'test' } });
  expect(answer.status).toBe(200);
}

describe('a connection that is refused', () => {
  const attempts: readonly (readonly [RefusalCode, string, (userId: string) => Promise<object>])[] = [
    ['auth/missing', 'no token', async () => ({})],
    ['auth/malformed', 'no JWT', async () => ({ token: 'x.y.z' })],
    ['auth/malformed', 'another spelling of a good token', async (userId) => ({ token: `${await tokenFor(userId)}=` })],
    ['auth/malformed', 'a token of 9 kB', async (userId) => ({ token: (await tokenFor(userId)) + 'A'.repeat(9_000) })],
    ['auth/expired', 'an old token', async (userId) => ({ token: await tokenFor(userId, { nowMs: Date.now() - 120_000, ttlSeconds: 60 }) })],
    ['auth/invalid', 'another key', async (userId) => ({ token: await tokenFor(userId, { secret: 'another-secret-that-is-also-long-enough' }) })],
    ['auth/invalid', 'a refresh token', async (userId) => ({ token: await refreshTokenFor(userId) })],
    ['auth/invalid', 'a token of a service', async (userId) => ({ token: await tokenFor(userId, { roles: ['service'] }) })],
    ['auth/invalid', 'a service token without its audience', async (userId) => ({ token: await tokenFor(userId, { roles: ['service'], serviceAudience: undefined }) })],
    ['auth/invalid', 'the character of somebody else', async (userId) => ({ token: await tokenFor(userId, { characterId: 'c20' }) })],
    ['auth/wrong-realm', 'a token of another realm', async (userId) => ({ token: await tokenFor(userId, { realm: 'elsewhere' }) })],
    ['client/too-old', 'an old protocol', async (userId) => ({ token: await tokenFor(userId), protocol: 0 })],
    ['auth/banned', 'a banned user', async (userId) => {
      await ban(userId);
      return { token: await tokenFor(userId) };
    }],
  ];

  it.each(attempts)('[CON6] %s, %s: the sentence of the catalogue, never to be tried again, before any room is joined', async (code, what, make) => {
    // A user of its own, so that no earlier attempt has left anything of it; characters are those of the first twenty.
    const userId = `p${attempts.findIndex(([, each]) => each === what) + 1}`;
    const auth = await make(userId);
    const roomsBefore = [...realmOf(gateway).nsp.adapter.rooms.keys()].sort();
    const said = await saidToRedis(async () => {
      using client = clientOf(gateway, auth, { reconnection: true, reconnectionDelay: 10 });
      const refusal = await refusalOf(client);
      expect(refusal.data).toEqual({ code, message: refusals[code].message, retry: 'never' });
      expect(refusal.message).toBe(refusals[code].message);
      // A plain Socket.IO client does not come again by itself.
      expect(client.socket.active).toBe(false);
      expect(client.heard).toEqual([]);
    });
    const keys = keysOf(gateway.realm as RealmId);
    const mentions = [keys.user(userId as never), keys.room(`user:${userId}` as never), `user:${userId}`];
    expect(said.filter((line) => mentions.some((name) => line.includes(name)))).toEqual([]);
    expect([...realmOf(gateway).nsp.adapter.rooms.keys()].sort()).toEqual(roomsBefore);
    expect(realmOf(gateway).sessions.of(userId as never)).toEqual([]);
  });

  it('is told apart from one that is accepted, whose rooms Redis hears of', async () => {
    const said = await saidToRedis(async () => {
      using client = await join(gateway, 'p19');
      expect(client.socket.connected).toBe(true);
    });
    expect(said.some((line) => line.includes('user:p19'))).toBe(true);
  });

  it('leaves nothing behind either when the ban comes while the answer of the database is kept', async () => {
    await join(gateway, 'p18').then((first) => { first[Symbol.dispose](); });
    const keys = keysOf(gateway.realm as RealmId);
    await eventually(async () => (await redis.exists(keys.user('p18' as never))) === 0);
    await ban('p18');
    using client = clientOf(gateway, { token: await tokenFor('p18') });
    expect((await refusalOf(client)).data?.code).toBe('auth/banned');
    await eventually(async () => { expect(await redis.exists(keys.user('p18' as never), keys.room('user:p18' as never))).toBe(0); });
  });
});

describe('session:refresh', () => {
  it.each([
    ['of another user', 'auth/invalid', () => tokenFor('p16')],
    ['that is a refresh token', 'auth/invalid', () => refreshTokenFor('p17')],
    ['of another realm', 'auth/wrong-realm', () => tokenFor('p17', { realm: 'elsewhere' })],
    ['that has expired', 'auth/expired', () => tokenFor('p17', { ttlSeconds: -60 })],
    ['of another key', 'auth/invalid', () => tokenFor('p17', { secret: 'another-secret-that-is-also-long-enough' })],
    ['of a service', 'auth/invalid', () => tokenFor('p17', { roles: ['service'] })],
    ['that is none', 'auth/malformed', () => Promise.resolve('none')],
  ] as const)('[SES3] with a token %s is refused with %s and changes nothing', async (_what, code, make) => {
    using client = await join(gateway, 'p17');
    const [session] = realmOf(gateway).sessions.of('p17' as never);
    const before = session!.socket.data.expiresAtMs;
    const answer = await client.ask('session:refresh', { token: await make() });
    expect(answer).toEqual({ ok: false, error: { code, message: refusals[code].message, retry: 'never' } });
    expect(session!.socket.data.expiresAtMs).toBe(before);
    expect(await client.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    client[Symbol.dispose]();
    await eventually(() => realmOf(gateway).sessions.of('p17' as never).length === 0);
  });

  it('an older token of the same user shortens nothing', async () => {
    using client = await join(gateway, 'p15');
    const [session] = realmOf(gateway).sessions.of('p15' as never);
    const before = session!.socket.data.expiresAtMs;
    expect(await client.ask('session:refresh', { token: await tokenFor('p15', { ttlSeconds: 60 }) })).toEqual({ ok: true, data: { tokenExpiresAtMs: before } });
  });
});

describe('a refresh token', () => {
  const post = async (path: string, body: object): Promise<{ status: number; body: { data?: { token: string; refreshToken: string }; error?: { code: string } } }> => {
    const response = await fetch(`${gateway.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as never };
  };

  it('[TOK5] that was replayed opens nothing, whoever holds it', async () => {
    const { body } = await post('/v1/dev/token', { userId: 'p14' });
    const stolen = body.data!.refreshToken;
    const owner = await post('/v1/dev/refresh', { refreshToken: stolen });
    expect(await post('/v1/dev/refresh', { refreshToken: stolen })).toMatchObject({ status: 401, body: { error: { code: 'auth/revoked', message: refusals['auth/revoked'].message, retry: 'never' } } });
    expect(await post('/v1/dev/refresh', { refreshToken: owner.body.data!.refreshToken })).toMatchObject({ status: 401, body: { error: { code: 'auth/revoked' } } });
    for (const token of [stolen, owner.body.data!.refreshToken]) {
      using client = clientOf(gateway, { token });
      expect((await refusalOf(client)).data?.code).toBe('auth/invalid');
    }
  });
});

describe('a token in the query', () => {
  it('[CON3] is ignored where it is switched off; auth and bearer are taken as before', async () => {
    const [first, second] = await Promise.all([tokenFor('p14'), tokenFor('p15')]);
    for (const transports of [['websocket'], ['polling']]) {
      using refused = clientOf(other, {}, { transports, query: { token: first } });
      expect((await refusalOf(refused)).data).toEqual({ code: 'auth/missing', message: refusals['auth/missing'].message, retry: 'never' });
      using byBearer = clientOf(other, {}, { transports, query: { token: first }, extraHeaders: { authorization: `Bearer ${second}` } });
      await connected(byBearer);
      expect(await byBearer.hears('session:welcome')).toMatchObject({ userId: 'p15' });
      using byAuth = clientOf(other, { token: first }, { transports, query: { token: second } });
      await connected(byAuth);
      expect(await byAuth.hears('session:welcome')).toMatchObject({ userId: 'p14' });
    }
  });

  it('reaches no log line, whoever answers the request: a refusal of the handshake, the owner of the session, another gateway', async () => {
    const token = await tokenFor('p16');
    const marked = (url: string): string => `${url}&token=${token}`;
    expect((await ask(marked(engineUrl(gateway.url)), { headers: { origin: 'https://evil.example.com' } })).status).toBe(403);
    expect((await ask(marked(engineUrl(gateway.url, 'unknown'))))).toMatchObject({ status: 400 });
    expect((await ask(marked(`${gateway.url}/socket.io/?EIO=3&transport=none`)))).toMatchObject({ status: 400 });
    expect((await ask(`${gateway.url}/v1/nothing?token=${token}`))).toMatchObject({ status: 404 });
    const opened = await ask(marked(engineUrl(gateway.url)));
    const { sid } = JSON.parse(opened.text.slice(1)) as { sid: string };
    expect((await ask(marked(engineUrl(other.url, sid)), { method: 'POST', body: `40/realm/${gateway.realm},{}` })).text).toBe('ok');
    let heard = '';
    while (!heard.includes('session:welcome')) heard += (await ask(marked(engineUrl(other.url, sid)))).text;
    const logs = [...gateway.logs, ...other.logs].join('');
    expect(logs).toContain('"userId":"p16"');
    for (const part of [token, ...token.split('.')]) expect(logs).not.toContain(part);
  });
});

describe('after the handshake', () => {
  it('the token is in no handshake, in nothing that other gateways are told, and in nothing that Redis hears', async () => {
    const [token, inQuery, inHeader] = await Promise.all([tokenFor('p12'), tokenFor('p12', { ttlSeconds: 601 }), tokenFor('p12', { ttlSeconds: 602 })]);
    let told = '';
    const said = await saidToRedis(async () => {
      using client = clientOf(gateway, { token }, { query: { token: inQuery }, extraHeaders: { authorization: `Bearer ${inHeader}`, cookie: `t=${inHeader}` } });
      await connected(client);
      await client.hears('session:welcome');
      const [session] = realmOf(gateway).sessions.of('p12' as never);
      const remote = await realmOf(other).nsp.in('user:p12').fetchSockets();
      expect(remote.map(({ data }) => data)).toEqual([{ userId: 'p12', characterId: 'c12', roles: ['player'], expiresAtMs: expect.any(Number), device: expect.any(String) }]);
      told = JSON.stringify([remote.map(({ handshake, data, rooms }) => [handshake, data, [...rooms]]), session!.socket.handshake, session!.socket.data]);
      expect(await client.ask('session:refresh', { token: inQuery })).toMatchObject({ ok: true });
    });
    expect(told).toContain('/socket.io/');
    for (const each of [token, inQuery, inHeader]) {
      for (const part of [each, each.split('.')[1]!, each.split('.')[2]!]) {
        expect(told).not.toContain(part);
        expect(said.filter((line) => line.includes(part))).toEqual([]);
      }
    }
  });
});
