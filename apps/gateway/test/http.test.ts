import { randomUUID } from 'node:crypto';
import { createVerifier, signRefreshToken } from '@skirmish/auth';
import { startTcpProxy } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, connected, join, secret, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

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

type Body = { ok: boolean; data?: Record<string, never>; error?: { code: string; path?: string; reasons?: string[] } };
const get = async (path: string, init?: RequestInit, url = gateway.url): Promise<{ status: number; body: Body; headers: Headers }> => {
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, body: (await response.json()) as Body, headers: response.headers };
};
const post = (path: string, body: string, url = gateway.url) => get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }, url);

describe('health', () => {
  it('/healthz and /readyz answer in the envelope', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, body: { ok: true, data: { alive: true } } });
    expect(await get('/readyz')).toMatchObject({ status: 200, body: { ok: true, data: { ready: true, reasons: [] } } });
  });

  it('/health has socket, room, realm, adapter and pool statistics', async () => {
    using client = await join(gateway, 'p1');
    expect(client.socket.connected).toBe(true);
    const { status, body } = await get('/health');
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      ready: true,
      sockets: { connected: 1, connecting: 0, transports: 1 },
      realms: { [gateway.realm]: { sockets: 1, users: 1, zones: 1, callsInFlight: 0, rooms: expect.any(Number), adapter: { incarnation: gateway.gateway.incarnation } } },
      pool: expect.any(Object),
      memoryBytes: { rss: expect.any(Number) },
    });
  });

  it('/readyz says why not while the gateway drains, and /healthz stays', async () => {
    await using draining = await startGateway(world);
    draining.gateway.drain('maintenance');
    const ready = await get('/readyz', {}, draining.url);
    expect(ready).toMatchObject({ status: 503, body: { ok: false, error: { code: 'server/draining', reasons: ['draining: maintenance'] } } });
    expect((await get('/healthz', {}, draining.url)).status).toBe(200);
  });

  it('the internal port has metrics of the edge; the public one has none', async () => {
    using client = await join(gateway, 'p2');
    await client.ask('session:ping', { atMs: 1 });
    await client.ask('no:such', {});
    const text = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
    expect(text).toMatch(/^skirmish_sockets\{process="gateway"\} 1$/m);
    expect(text).toMatch(/skirmish_event_seconds_count\{.*event="session:ping".*outcome="accepted".*\} 1/);
    expect(text).toMatch(/skirmish_event_refused_total\{.*client_event="other".*code="event\/unknown".*\} 1/);
    expect(await get('/metrics')).toMatchObject({ status: 404 });
  });
});

describe('the shared middleware', () => {
  it('answers with the request id of the caller, or one of its own', async () => {
    expect((await get('/healthz', { headers: { 'x-request-id': 'abc-123' } })).headers.get('x-request-id')).toBe('abc-123');
    expect((await get('/healthz', { headers: { 'x-request-id': 'not sound!' } })).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('sets the protective headers and hides what it is made of', async () => {
    const { headers } = await get('/healthz');
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('allows listed origins only', async () => {
    const origin = 'https://game.example.com';
    expect((await get('/healthz', { headers: { origin } })).headers.get('access-control-allow-origin')).toBe(origin);
    expect((await get('/healthz', { headers: { origin: 'https://evil.example.com' } })).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('answers an unknown address in the envelope', async () => {
    expect(await get('/no/such')).toMatchObject({ status: 404, body: { ok: false, error: { code: 'http/not-found' } } });
  });

  it.each([
    ['no JSON', '{oh', 400, 'payload/invalid'],
    ['a body over 16 kB', JSON.stringify({ userId: 'x'.repeat(20_000) }), 413, 'payload/too-large'],
    ['a field too many', JSON.stringify({ userId: 'p1', admin: true }), 400, 'payload/invalid'],
    ['no user', '{}', 400, 'payload/invalid'],
    ['an unknown role', JSON.stringify({ userId: 'p1', roles: ['root'] }), 400, 'payload/invalid'],
    ['a time below a second', JSON.stringify({ userId: 'p1', ttlSeconds: 0 }), 400, 'payload/invalid'],
  ])('refuses %s', async (_what, body, status, code) => {
    expect(await post('/v1/dev/token', body)).toMatchObject({ status, body: { ok: false, error: { code } } });
  });
});

describe('the tokens of the development world', () => {
  const issued = async (claims: object): Promise<{ token: string; refreshToken: string; expiresAtMs: number }> =>
    (await post('/v1/dev/token', JSON.stringify(claims))).body.data as never;

  it('are for any user, who gets a character', async () => {
    const { token, expiresAtMs } = await issued({ userId: 'us-east-1:someone|new', ttlSeconds: 60 });
    expect(expiresAtMs).toBeGreaterThan(Date.now());
    expect(expiresAtMs).toBeLessThanOrEqual(Date.now() + 60_000);
    using client = clientOf(gateway, { token });
    await connected(client);
    expect(await client.hears('session:welcome')).toMatchObject({ userId: 'us-east-1:someone|new', zone: { id: 'meadow' } });
  });

  const refresh = (refreshToken: unknown, url?: string) => post('/v1/dev/refresh', JSON.stringify({ refreshToken }), url);
  const refreshed = async (refreshToken: unknown): Promise<{ token: string; refreshToken: string }> => {
    const { status, body } = await refresh(refreshToken);
    expect([status, body.ok]).toEqual([200, true]);
    return body.data as never;
  };
  const revoked = { status: 401, body: { ok: false, error: { code: 'auth/revoked', retry: 'never' } } };

  it('are renewed for a refresh token, and for nothing else', async () => {
    const { token, refreshToken } = await issued({ userId: 'p3', roles: ['player', 'moderator'] });
    expect(await refresh(token)).toMatchObject({ status: 401, body: { error: { code: 'auth/invalid' } } });
    const renewed = await refreshed(refreshToken);
    expect(await createVerifier({ secret }).verify(renewed.token)).toMatchObject({ userId: 'p3', roles: ['player', 'moderator'] });
    expect(renewed.refreshToken).not.toBe(refreshToken);
    expect(await createVerifier({ secret }).verify((await refreshed(renewed.refreshToken)).token)).toMatchObject({ userId: 'p3' });
  });

  it('[TOK5] end with their whole family when one of them is used again, on whatever gateway; other logins of the user go on', async () => {
    await using other = await startGateway(world, { REALMS: gateway.realm });
    const stolen = await issued({ userId: 'p4' });
    const elsewhere = await issued({ userId: 'p4' });
    const renewed = await refreshed(stolen.refreshToken);
    expect(await refresh(stolen.refreshToken, other.url)).toMatchObject(revoked);
    expect(await refresh(renewed.refreshToken)).toMatchObject(revoked);
    expect(await refresh(renewed.refreshToken, other.url)).toMatchObject(revoked);
    await refreshed(elsewhere.refreshToken);
  });

  it('[TOK5] have one winner when a refresh token is used many times at once, and then none of them is good', async () => {
    const { refreshToken } = await issued({ userId: 'p5' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(refreshToken)));
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ body }) => body.error?.code === 'auth/revoked')).toHaveLength(7);
    expect(await refresh((winners[0]!.body.data as { refreshToken?: string }).refreshToken)).toMatchObject(revoked);
  });

  it.each([
    ['signed by somebody else', 'another-secret-that-is-also-long-enough', {}, 'auth/invalid'],
    ['of a family that never began', secret, {}, 'auth/revoked'],
    ['that has ended', secret, { nowMs: Date.now() - 120_000 }, 'auth/expired'],
  ])('are not given for a refresh token %s', async (_what, key, more, code) => {
    const { token } = await signRefreshToken({ secret: key, userId: 'p6', ttlSeconds: 60, familyId: randomUUID(), tokenId: randomUUID(), ...more });
    expect(await refresh(token)).toMatchObject({ status: 401, body: { error: { code } } });
  });

  it('cannot be renewed while Postgres is away: server/unavailable with a hint, and the refresh token is good afterwards', async () => {
    const url = new URL(world.databaseUrl);
    await using proxy = await startTcpProxy({ targetPort: Number(url.port) });
    url.port = String(proxy.port);
    await using away = await startGateway({ ...world, databaseUrl: url.href }, { DATABASE_POOL_MAX: '1' });
    const { refreshToken } = await issued({ userId: 'p7' });
    proxy.blackhole();
    const answer = await refresh(refreshToken, away.url);
    expect(answer).toMatchObject({ status: 503, body: { ok: false, error: { code: 'server/unavailable', retry: 'later', retryAfterMs: 2_000 } } });
    expect(answer.headers.get('retry-after')).toBe('2');
    proxy.heal();
    await refreshed(refreshToken);
  });

  it('of a service carry the service audience', async () => {
    const { token } = await issued({ userId: 'backend', roles: ['service'] });
    expect(await createVerifier({ secret, serviceAudience: 'skirmish-service' }).verify(token)).toMatchObject({ roles: ['service'] });
  });

  it('do not exist outside of development', async () => {
    await using production = await startGateway(world, { NODE_ENV: 'production', QUEUE_REDIS_URL: '' });
    expect(await post('/v1/dev/token', JSON.stringify({ userId: 'p1' }), production.url)).toMatchObject({ status: 404, body: { error: { code: 'http/not-found' } } });
    const { refreshToken } = await issued({ userId: 'p8' });
    expect(await refresh(refreshToken, production.url)).toMatchObject({ status: 404, body: { error: { code: 'http/not-found' } } });
    await refreshed(refreshToken);
  });
});
