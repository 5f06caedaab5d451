import { createDatabase, type Database } from '@skirmish/database';
import { roomOf, type UserId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { services } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { type Answer, callService, type CallOptions } from './_service-caller.ts';

let world: TestWorld;
let gateway: TestGateway;
let database: Database;
let redis: Redis;
let service: string;
let system: string;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
  database = createDatabase({ url: world.databaseUrl, poolMax: 2 });
  redis = createRedis({ url: services().redisUrl, name: 'service-api-test', role: 'command' });
  await whenReady(redis);
  service = await tokenFor('backend', { roles: ['service'] });
  system = await tokenFor('operator', { roles: ['system'] });
});
afterAll(async () => {
  redis.disconnect();
  await database.close();
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const call = (method: 'GET' | 'POST', path: string, { at = gateway, token = service, ...more }: CallOptions & { at?: TestGateway } = {}) => callService(at, method, path, { token, ...more });
const emit = (body: object, more: { token?: string; at?: TestGateway } = {}) => call('POST', '/v1/emit', { ...more, body });
const audit = () => database.db.selectFrom('service_audit').selectAll().orderBy('audit_id').execute();
const asked = { to: { user: 'p1' }, event: 'app:gift', payload: { item: 'sword' } };

describe('who may call', () => {
  it.each([
    ['nobody', async () => null, 401, 'auth/missing'],
    ['whoever has nonsense', async () => 'nonsense', 401, 'auth/malformed'],
    ['a token of another key', async () => tokenFor('backend', { roles: ['service'], secret: 'another-secret-that-is-long-enough-012345' }), 401, 'auth/invalid'],
    ['a service token without the audience of services', async () => tokenFor('backend', { roles: ['service'], serviceAudience: 'elsewhere' }), 401, 'auth/invalid'],
    ['an old token', async () => tokenFor('backend', { roles: ['service'], nowMs: Date.now() - 3_600_000 }), 401, 'auth/expired'],
    ['a player', async () => tokenFor('p1'), 403, 'auth/forbidden'],
    ['a moderator', async () => tokenFor('mod1', { roles: ['moderator'] }), 403, 'auth/forbidden'],
    ['a token of another realm', async () => tokenFor('backend', { roles: ['service'], realm: 'elsewhere' }), 403, 'auth/wrong-realm'],
  ])('%s may not', async (_who, tokenOf, status, code) => {
    const token = await tokenOf();
    for (const [method, path] of [['GET', '/v1/users/p1/online'], ['POST', '/v1/emit']] as const) {
      const path2 = code === 'auth/wrong-realm' ? `${path}?realm=${gateway.realm}` : path;
      const answer = await call(method, path2, { token, ...(method === 'POST' ? { body: asked } : {}) });
      expect(answer).toMatchObject({ status, body: { ok: false, error: { code } } });
      expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
    }
  });

  it('is decided before anything of the request is read', async () => {
    expect(await call('POST', '/v1/emit', { token: null, body: '{' })).toMatchObject({ status: 401 });
    expect(await call('POST', '/v1/emit', { token: await tokenFor('p1'), body: 'x'.repeat(100_000) })).toMatchObject({ status: 403 });
  });

  it('a service that calls too often is told to wait, others are not', async () => {
    await using slow = await startGateway(world, { REALMS: gateway.realm, RATE_LIMIT_SCALE: '0.01' });
    const answers: Answer[] = [];
    // Two more are allowed in each second that it takes.
    while (answers.at(-1)?.status !== 429 && answers.length < 50) answers.push(await call('GET', '/v1/users/p1/online', { at: slow }));
    expect(answers.slice(0, 4).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const refused = answers.at(-1);
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'rate/limited', retryAfterMs: expect.any(Number) } } });
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await call('GET', '/v1/users/p1/online', { at: slow, token: system })).status).toBe(200);
  });
});

describe('what may be sent', () => {
  it.each([
    ['no body', undefined, 400, 'payload/invalid', undefined],
    ['no JSON', '{', 400, 'payload/invalid', undefined],
    ['no object', '[]', 400, 'payload/invalid', 'to'],
    ['a field too many', { ...asked, secret: 1 }, 400, 'payload/invalid', 'secret'],
    ['a field of a hostile name', { ...asked, 'a b': 1 }, 400, 'payload/invalid', '?'],
    ['two targets', { ...asked, to: { user: 'p1', zone: 'meadow' } }, 400, 'payload/invalid', 'to'],
    ['nobody', { ...asked, to: {} }, 400, 'payload/invalid', 'to'],
    ['a bad id', { ...asked, to: { zone: 'a b' } }, 400, 'payload/invalid', 'to'],
    ['all: false', { ...asked, to: { all: false } }, 400, 'payload/invalid', 'to'],
    ['a payload that is no object', { ...asked, payload: 'text' }, 400, 'payload/invalid', 'payload'],
    ['a list as payload', { ...asked, payload: [] }, 400, 'payload/invalid', 'payload'],
    ['a payload over 32 KiB', { ...asked, payload: { text: 'x'.repeat(33_000) } }, 413, 'payload/too-large', 'payload'],
    ['a body over 64 KiB', { ...asked, payload: { text: 'x'.repeat(70_000) } }, 413, 'payload/too-large', undefined],
    ['a payload of 1,000 levels', `{"to":{"user":"p1"},"event":"app:x","payload":${'{"a":'.repeat(1_000)}1${'}'.repeat(1_000)}}`, 400, 'payload/invalid', 'payload'],
    ['an unknown event', { ...asked, event: 'no:such' }, 400, 'event/unknown', 'event'],
    ['an event of Object', { ...asked, event: '__proto__' }, 400, 'event/unknown', 'event'],
    ['a bad app name', { ...asked, event: 'app:a b' }, 400, 'event/unknown', 'event'],
    ['an event of clients', { ...asked, event: 'chat:send' }, 400, 'event/unknown', 'event'],
    ['class direct', { ...asked, class: 'direct' }, 400, 'payload/invalid', 'class'],
    ['class state', { ...asked, class: 'state' }, 400, 'payload/invalid', 'class'],
    ['a mailbox for a zone', { ...asked, to: { zone: 'meadow' }, ifOffline: 'mailbox' }, 400, 'payload/invalid', 'ifOffline'],
    ['an ephemeral mail', { ...asked, class: 'ephemeral', ifOffline: 'mailbox' }, 400, 'payload/invalid', 'ifOffline'],
    ['a long key', { ...asked, idempotencyKey: 'k'.repeat(201) }, 400, 'payload/invalid', 'idempotencyKey'],
    ['a realm that is not served', { ...asked, realm: 'elsewhere' }, 400, 'payload/invalid', 'realm'],
    ['a built-in event', { to: { user: 'p1' }, event: 'moderation:sanctioned', payload: { kind: 'warned', reason: 'x' } }, 403, 'auth/forbidden', 'event'],
    ['a broadcast', { ...asked, to: { all: true } }, 403, 'auth/forbidden', undefined],
  ])('%s is refused, and leaves no line in the audit', async (_what, body, status, code, path) => {
    const before = (await audit()).length;
    const answer = await call('POST', '/v1/emit', body === undefined ? {} : { body });
    expect(answer).toMatchObject({ status, body: { ok: false, error: { code } } });
    expect(answer.body.error?.path).toBe(path);
    expect((await audit()).length).toBe(before);
  });

  it('a body of 64 KiB is taken, one byte more is not', async () => {
    const text = (bytes: number): string => JSON.stringify({ ...asked, to: { user: 'nobody-here' } }).padEnd(bytes, ' ');
    expect((await call('POST', '/v1/emit', { body: text(65_536) })).status).toBe(202);
    expect(await call('POST', '/v1/emit', { body: text(65_537) })).toMatchObject({ status: 413, body: { error: { code: 'payload/too-large' } } });
  });

  it('user ids arrive as they are, whatever is in them', async () => {
    const userId = 'auth0|x y/z%25?&#é' as UserId;
    await redis.hset(keysOf(gateway.realm as never).user(userId), 'AbCd', JSON.stringify({ v: 1, gateway: 'g', connectedAtMs: 1, device: 'pc' }));
    expect((await call('GET', `/v1/users/${encodeURIComponent(userId)}/online`)).body).toEqual({ ok: true, data: { online: true } });
    expect((await call('GET', `/v1/users/${encodeURIComponent(userId)}/sockets`)).body.data).toEqual({ sockets: [{ socketId: 'AbCd', gateway: 'g', connectedAtMs: 1, device: 'pc' }] });
    const room = encodeURIComponent(roomOf.user(userId));
    expect((await call('GET', `/v1/rooms/${room}/members`)).body.data).toEqual({ members: [{ userId, characterId: null }], cursor: null });
  });

  it.each([
    ['/v1/users/%E0%A4%A/online', 400, 'payload/invalid'],
    ['/v1/users/%00/online', 400, 'payload/invalid'],
    [`/v1/users/${'x'.repeat(129)}/online`, 400, 'payload/invalid'],
    ['/v1/zones/a%20b/population', 400, 'payload/invalid'],
    ['/v1/zones/meadow/population?realm=a%20b', 400, 'payload/invalid'],
    ['/v1/zones/meadow/population?realm=a&realm=b', 400, 'payload/invalid'],
    ['/v1/zones/meadow/population?other=1', 400, 'payload/invalid'],
    ['/v1/rooms/AbCdEf/members', 404, 'room/not-found'],
    ['/v1/rooms/user%3Aauth0%7Cx/members', 404, 'room/not-found'],
    ['/v1/rooms/realm/members?cursor=x', 400, 'payload/invalid'],
    ['/v1/emit', 404, 'http/not-found'],
    ['/v1', 404, 'http/not-found'],
    ['/v1/users/p1', 404, 'http/not-found'],
    ['/v1/users/p1/sanctions', 404, 'http/not-found'],
    ['/v1/users//online', 404, 'http/not-found'],
  ])('GET %s answers %i', async (path, status, code) => {
    expect(await call('GET', path)).toMatchObject({ status, body: { ok: false, error: { code } } });
  });
});

describe('what is done', () => {
  it('an emission reaches the player, with its request id in the audit and nothing of its payload', async () => {
    using client = await join(gateway, 'p1');
    const answer = await call('POST', '/v1/emit', { body: { ...asked, idempotencyKey: 'gift-1' }, headers: { 'x-request-id': 'request-1' } });
    expect(answer).toMatchObject({ status: 202, body: { ok: true, data: { id: expect.stringMatching(/^\d+-\d+$/), outcome: 'emitted' } } });
    expect(answer.headers.get('x-request-id')).toBe('request-1');
    expect(await client.hears('app:gift' as never)).toEqual({ item: 'sword' });
    const again = await emit({ ...asked, idempotencyKey: 'gift-1' });
    expect(again.body.data).toEqual({ id: answer.body.data?.['id'], outcome: 'repeated' });
    const line = (await audit()).find(({ request_id: id }) => id === 'request-1');
    expect(line).toMatchObject({ actor: 'backend', action: 'emit', target: 'user:p1', details: { realm: gateway.realm, event: 'app:gift', class: 'critical', idempotencyKey: 'gift-1' } });
    expect(JSON.stringify(line)).not.toContain('sword');
    expect(client.payloads('app:gift' as never)).toHaveLength(1);
  });

  it('the same key of another service is another key', async () => {
    const other = await tokenFor('another-backend', { roles: ['service'] });
    const body = { ...asked, idempotencyKey: 'shared' };
    expect((await emit(body)).body.data?.['outcome']).toBe('emitted');
    expect((await emit(body, { token: other })).body.data?.['outcome']).toBe('emitted');
    expect((await emit(body)).body.data?.['outcome']).toBe('repeated');
  });

  it('a built-in event of the role system has the form of its schema', async () => {
    using client = await join(gateway, 'p2');
    const body = { to: { user: 'p2' }, event: 'moderation:sanctioned', payload: { kind: 'warned', reason: 'language' } };
    expect((await emit(body, { token: system })).status).toBe(202);
    expect(await client.hears('moderation:sanctioned')).toEqual(body.payload);
    const wrong = await emit({ ...body, payload: { kind: 'warned' } }, { token: system });
    expect(wrong).toMatchObject({ status: 400, body: { error: { code: 'payload/invalid', path: 'payload.reason' } } });
    for (const event of ['session:welcome', 'zone:tick', 'character:corrected']) {
      expect(await emit({ ...body, event, payload: {} }, { token: system })).toMatchObject({ status: 400, body: { error: { code: 'payload/invalid' } } });
    }
    expect(await emit({ ...body, class: 'ephemeral' }, { token: system })).toMatchObject({ status: 400, body: { error: { path: 'class' } } });
  });

  it('keys of payloads that mean something to JavaScript arrive', async () => {
    using client = await join(gateway, 'p3');
    const text = '{"to":{"user":"p3"},"event":"app:odd","payload":{"constructor":1,"prototype":2,"__proto__":3}}';
    expect((await call('POST', '/v1/emit', { body: text })).status).toBe(202);
    const heard = await client.hears<object>('app:odd' as never);
    expect(Object.entries(heard)).toEqual([['constructor', 1], ['prototype', 2], ['__proto__', 3]]);
  });

  it('a call that would leave no trace is refused', async () => {
    await database.db.schema.alterTable('service_audit').renameTo('audit_is_away').execute();
    try {
      using client = await join(gateway, 'p4');
      const refused = await emit({ ...asked, to: { user: 'p4' } });
      expect(refused).toMatchObject({ status: 503, body: { error: { code: 'server/internal' } } });
      expect((await call('GET', '/v1/users/p4/online')).body.data).toEqual({ online: true });
      const disconnect = await call('POST', '/v1/users/p4/disconnect', { body: { reason: 'x' } });
      expect(disconnect.status).toBe(503);
      expect(client.socket.connected).toBe(true);
      expect(client.heard.map(({ event }) => event)).not.toContain('app:gift');
    } finally {
      await database.db.schema.alterTable('audit_is_away').renameTo('service_audit').execute();
    }
  });

  it('the first realm is meant where none is named, and each realm has its own players', async () => {
    const realms = [`${gateway.realm}a`, `${gateway.realm}b`];
    await using two = await startGateway(world, { REALMS: realms.join(',') });
    using client = await join({ url: two.url, realm: realms[1]! }, 'p5');
    const online = async (query: string) => (await call('GET', `/v1/users/p5/online${query}`, { at: two })).body.data?.['online'];
    expect([await online(''), await online(`?realm=${realms[0]!}`), await online(`?realm=${realms[1]!}`)]).toEqual([false, false, true]);
    expect((await emit({ ...asked, to: { user: 'p5' }, realm: realms[1] }, { at: two })).status).toBe(202);
    await client.hears('app:gift' as never);
    const ofOne = await tokenFor('backend', { roles: ['service'], realm: realms[1]! });
    expect((await call('GET', '/v1/users/p5/online', { at: two, token: ofOne })).body.data).toEqual({ online: true });
  });

  it('what is done in all realms is counted over all of them', async () => {
    const realms = [`${gateway.realm}c`, `${gateway.realm}d`];
    await using two = await startGateway(world, { REALMS: realms.join(',') });
    for (const realm of realms) await join({ url: two.url, realm }, 'p6');
    expect((await call('POST', '/v1/users/p6/logout-everywhere', { at: two })).body.data).toEqual({ sessions: 2 });
  });

  it('calls are counted by operation and outcome', async () => {
    await call('GET', '/v1/zones/meadow/population');
    const text = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
    expect(text).toMatch(/service_called_total\{.*operation="getZonePopulation".*outcome="accepted".*\} [1-9]/);
    expect(text).toMatch(/service_called_total\{.*operation="emit".*outcome="auth\/forbidden".*\} [1-9]/);
  });

  it('every call leaves a line that says who asked what about whom, also one that changes nothing or is refused', async () => {
    const seen = gateway.logs.length;
    await call('GET', '/v1/users/p5/online');
    await call('GET', '/v1/rooms/none/members');
    await callService(gateway, 'GET', '/v1/users/p5/online', { token: null });
    const lines = gateway.logs.slice(seen).map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event === 'service-called');
    expect(lines).toMatchObject([
      { level: 'info', operation: 'isUserOnline', outcome: 'accepted', caller: expect.any(String), target: { id: 'p5' }, requestId: expect.any(String) },
      { level: 'info', operation: 'getRoomMembers', outcome: 'room/not-found', caller: expect.any(String), target: { room: 'none' } },
      { level: 'info', operation: 'isUserOnline', outcome: 'auth/missing' },
    ]);
  });

  it('no token is in a log line', () => {
    const lines = gateway.logs.join('\n');
    expect(lines).toContain('service-called');
    for (const token of [service, system]) expect(lines).not.toContain(token.split('.')[2]);
  });
});
