import { createShutdown, createLogger } from '@skirmish/observability';
import { defaultRateOf } from '@skirmish/protocol';
import { eventually, freePort, startProcess, services, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyone } from '../src/connection/event-row.ts';
import { events } from '../src/connection/events.ts';
import { untilInTime } from './_in-time.ts';
import { clientOf, connected, join, secret, startGateway, startWorld, type TestWorld, tokenFor } from './_gateway.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

describe('an ordered stop', () => {
  it('announces itself, closes the transport only, and takes its steps in order', async () => {
    const gateway = await startGateway(world);
    const reasons: string[] = [];
    using client = await join(gateway, 'p1');
    client.socket.on('disconnect', (reason) => reasons.push(reason));
    await gateway.gateway.stop('test');
    expect((await client.hears<{ reconnectInMs: number }>('session:draining')).reconnectInMs).toBeLessThanOrEqual(100);
    await eventually(() => reasons.length > 0);
    expect(reasons).toEqual(['transport close']);
    const report = JSON.parse(gateway.logs.find((line) => line.includes('shutdown finished'))!) as { steps: { name: string; outcome: string }[] };
    expect(report.steps.map(({ name, outcome }) => `${name}: ${outcome}`)).toEqual([
      'refuse new connections: done',
      'announce: done',
      'close connections: done',
      'stop the timers: done',
      'leave the cluster: done',
      'close the public port: done',
      'close the lanes: done',
      'close the database: done',
      'close the internal port: done',
    ]);
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow();
  });

  it('answers what was asked before it closes the connection', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
    const limit = defaultRateOf('zone:roster');
    const slow = { ...events, 'zone:roster': { limit, order: 'at-once', may: anyone, handle: async () => { await held; return { population: 7, characters: [] }; } } } as const;
    const gateway = await startGateway(world, {}, { events: slow });
    using client = await join(gateway, 'p2');
    const answer = client.ask('zone:roster', { zoneId: 'meadow' });
    await eventually(() => gateway.gateway.realms[0]!.calls.count === 1);
    const stopped = gateway.gateway.stop('test');
    await client.hears('session:draining');
    expect(client.socket.connected).toBe(true);
    release(undefined);
    expect(await answer).toEqual({ ok: true, data: { population: 7, characters: [] } });
    await stopped;
  });

  it('closes many connections in slices, none before the time that it was told', () => untilInTime(async () => {
    const gateway = await startGateway(world, { DRAIN_TIMEOUT_MS: '400' });
    const clients = await Promise.all(Array.from({ length: 45 }, (_, index) => join(gateway, `p${3 + (index % 9)}`)));
    const closedAtMs = new Map<string | undefined, number>();
    // On the gateway's side and clock: when a client hears of it says more about the test's own event loop.
    for (const { id, conn } of gateway.gateway.realms[0]?.nsp.sockets.values() ?? []) {
      const close = conn.close.bind(conn);
      conn.close = (discard) => {
        if (!closedAtMs.has(id)) closedAtMs.set(id, performance.now());
        close(discard);
      };
    }
    const ids = clients.map(({ socket }) => socket.id);
    const stoppedAtMs = performance.now();
    await gateway.gateway.stop('test');
    await eventually(() => clients.every(({ socket }) => !socket.connected));
    const told = await Promise.all(clients.map((client) => client.hears<{ reconnectInMs: number }>('session:draining')));
    for (const [n, { reconnectInMs }] of told.entries()) expect(closedAtMs.get(ids[n])! - stoppedAtMs).toBeGreaterThanOrEqual(reconnectInMs - 1);
    const spread = (ms: readonly number[]): number => Math.max(...ms) - Math.min(...ms);
    expect(spread(told.map(({ reconnectInMs }) => reconnectInMs))).toBeGreaterThanOrEqual(190);
    // What was due while the machine stood still is closed at once.
    return spread([...closedAtMs.values()]) >= 190;
  }), 60_000);
});

describe('a start that fails', () => {
  it('rejects and leaves nothing running when the port is taken', async () => {
    await using first = await startGateway(world);
    const internalPort = await freePort();
    await expect(startGateway(world, { SOCKET_PORT: String(first.gateway.publicPort), INTERNAL_PORT: String(internalPort) })).rejects.toThrow(/EADDRINUSE/);
    await expect(fetch(`http://127.0.0.1:${internalPort}/healthz`)).rejects.toThrow();
  });

  it('rejects when a stop overtakes it', async () => {
    const shutdown = createShutdown({ logger: createLogger({ name: 'test', level: 'silent' }) });
    const gateway = await startGateway(world, {}, { shutdown });
    await gateway[Symbol.asyncDispose]();
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow();
  });
});

describe('the process', () => {
  const env = (): Record<string, string> => ({
    NODE_ENV: 'development', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_PORT: '0', REDIS_URL: services().redisUrl,
    DATABASE_URL: world.databaseUrl, JWT_SECRET: secret, REALMS: uniqueRealm(), EPOCH_GRACE_MS: '100',
  });
  const entry = new URL('../src/main.ts', import.meta.url);

  it('says when it is ready, serves, and ends with 0 on SIGTERM', async () => {
    const variables = env();
    await using child = await startProcess({ name: 'gateway', entry, env: variables });
    expect(child.ready).toMatchObject({ role: 'gateway', id: expect.any(String), publicPort: expect.any(Number), internalPort: expect.any(Number) });
    using client = clientOf({ url: `http://127.0.0.1:${child.ready.publicPort!}`, realm: variables['REALMS']! }, { token: await tokenFor('p1') });
    await connected(client);
    expect(await child.stop()).toBe(0);
  }, 60_000);

  it('lists all mistakes of its configuration and ends with 2', async () => {
    const started = startProcess({ name: 'gateway', entry, env: { ...env(), SOCKET_PORT: 'many', RATE_LIMIT_SCALE: '-1', SOCKET_CORS_ORIGIN: '*' } });
    await expect(started).rejects.toThrow(/code 2[\s\S]*3 mistakes[\s\S]*SOCKET_PORT[\s\S]*SOCKET_CORS_ORIGIN[\s\S]*RATE_LIMIT_SCALE/);
  }, 60_000);
});
