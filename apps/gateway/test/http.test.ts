import { createVerifier } from '@skirmish/auth';
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

  it('are renewed for a refresh token, and for nothing else', async () => {
    const { token, refreshToken } = await issued({ userId: 'p3', roles: ['player', 'moderator'] });
    const renewed = await post('/v1/dev/refresh', JSON.stringify({ refreshToken }));
    expect(renewed).toMatchObject({ status: 200, body: { ok: true, data: { token: expect.any(String), refreshToken: expect.any(String) } } });
    expect(await post('/v1/dev/refresh', JSON.stringify({ refreshToken: token }))).toMatchObject({ status: 401, body: { error: { code: 'auth/invalid' } } });
    const identity = await createVerifier({ secret }).verify((renewed.body.data as { token?: string }).token);
    expect(identity).toMatchObject({ userId: 'p3', roles: ['player', 'moderator'] });
  });

  it('of a service carry the service audience', async () => {
    const { token } = await issued({ userId: 'backend', roles: ['service'] });
    expect(await createVerifier({ secret, serviceAudience: 'skirmish-service' }).verify(token)).toMatchObject({ roles: ['service'] });
  });

  it('do not exist outside of development', async () => {
    await using production = await startGateway(world, { NODE_ENV: 'production', QUEUE_REDIS_URL: '' });
    expect(await post('/v1/dev/token', JSON.stringify({ userId: 'p1' }), production.url)).toMatchObject({ status: 404 });
  });
});
