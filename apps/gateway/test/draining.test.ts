import { connect } from 'node:net';
import { createLogger, createShutdown } from '@skirmish/observability';
import { defaultRateOf, type RealmId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, services, startProcess, startRedis, uniqueRealm } from '@skirmish/testing';
import type { Namespace } from 'socket.io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyone } from '../src/connection/event-row.ts';
import { events } from '../src/connection/events.ts';
import { type Client, clientOf, join, refusalOf, secret, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { startLostTime } from './_lost-time.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await startWorld(60);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** When each socket is closed, on the clock of the gateway: when a client hears of it says more about the test's own event loop. */
function watchClosing({ gateway }: TestGateway): Map<string, number> {
  const closedAt = new Map<string, number>();
  for (const { conn, id } of gateway.realms[0]?.nsp.sockets.values() ?? []) {
    const close = conn.close.bind(conn);
    conn.close = (discard) => {
      if (!closedAt.has(id)) closedAt.set(id, performance.now());
      close(discard);
    };
  }
  return closedAt;
}

/** A gateway whose drain waits for as long as a test needs, until it is hurried. */
async function startPatient(env: Record<string, string> = {}): Promise<{ gateway: TestGateway; hurry: () => void }> {
  const shutdown = createShutdown({ logger: createLogger({ name: 'test', level: 'silent' }) });
  return { gateway: await startGateway(world, { ...env, DRAIN_DELAY_MS: '60000' }, { shutdown }), hurry: shutdown.hurry };
}

const told = (client: Client): number => client.payloads<{ reconnectInMs: number }>('session:draining')[0]?.reconnectInMs ?? -1;
const joinMany = (gateway: TestGateway, count: number): Promise<Client[]> => Promise.all(Array.from({ length: count }, (_, index) => join(gateway, `p${1 + index}`)));
const finished = ({ logs }: TestGateway) => JSON.parse(logs.find((line) => line.includes('shutdown finished')) ?? '{}') as { durationMs: number; steps: { name: string; outcome: string }[] };

describe('draining', () => {
  it('tells each client when its own connection ends, and keeps to it: the oldest first, those in a fight last', async () => {
    const gateway = await startGateway(world, { DRAIN_TIMEOUT_MS: '1000', DRAIN_DELAY_MS: '300' });
    const idOf = (client: Client): string => client.socket.id ?? '';
    const joined = await joinMany(gateway, 50);
    const byAge = [...(gateway.gateway.realms[0]?.nsp.sockets.keys() ?? [])];
    const clients = joined.sort((a, b) => byAge.indexOf(idOf(a)) - byAge.indexOf(idOf(b)));
    for (const client of clients.slice(0, 5)) await gateway.gateway.realms[0]?.nsp.sockets.get(idOf(client))?.join('combat:fight-1');
    const ids = clients.map(idOf);
    const closedAt = watchClosing(gateway);
    using lost = startLostTime();
    const startedAt = performance.now();
    await gateway.gateway.stop('test');
    const lostMs = lost.ms;
    await eventually(() => clients.every((client) => !client.socket.connected && told(client) >= 0));
    const closedAfter = ids.map((id) => (closedAt.get(id) ?? 0) - startedAt);
    for (const [index, client] of clients.entries()) {
      // A slice is 100 ms; the rest is for a machine that is busy.
      expect(closedAfter[index]).toBeGreaterThanOrEqual(told(client) - 20);
      expect(closedAfter[index]).toBeLessThan(told(client) + 500 + lostMs);
    }
    expect(Math.min(...clients.map(told))).toBeGreaterThanOrEqual(290 - lostMs);
    expect(new Set(clients.map(told)).size).toBeGreaterThan(20);
    const lastOfTheOthers = Math.max(...clients.slice(5).map(told));
    expect(Math.min(...clients.slice(0, 5).map(told))).toBeGreaterThanOrEqual(lastOfTheOthers);
    expect([...closedAt.keys()]).toEqual([...ids.slice(5), ...ids.slice(0, 5)]);
  });

  it('is known to the cluster at once, however long the next renewal is away', async () => {
    const { gateway, hurry } = await startPatient({ RENEW_INTERVAL_MS: '60000' });
    const redis = createRedis({ url: services().redisUrl, name: 'test', role: 'command' });
    await whenReady(redis);
    const record = async (): Promise<unknown> => JSON.parse((await redis.hget(keysOf(gateway.realm as RealmId).gateways, gateway.gateway.incarnation)) ?? '{}');
    expect(await record()).toMatchObject({ draining: 0 });
    const stopped = gateway.gateway.stop('test');
    await eventually(async () => { expect(await record()).toMatchObject({ draining: 1 }); }, { timeoutMs: 30_000 });
    hurry();
    await stopped;
    redis.disconnect();
  });

  it('is not ready at once and refuses handshakes with a hint while it goes on serving those that are there', async () => {
    const { gateway, hurry } = await startPatient();
    using client = await join(gateway, 'p1');
    const stopped = gateway.gateway.stop('test');
    const readiness = await fetch(`${gateway.url}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({ ok: false, error: { code: 'server/draining', retry: 'later' } });
    const handshake = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling`);
    expect(handshake.status).toBe(503);
    expect(handshake.headers.get('retry-after')).toBe('1');
    expect(await handshake.json()).toMatchObject({ code: 'server/draining', retry: 'later', retryAfterMs: expect.any(Number) });
    using late = clientOf(gateway, { token: await tokenFor('p2') });
    expect((await refusalOf(late)).data).toBeUndefined();
    expect(await client.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    hurry();
    await stopped;
    await eventually(() => !client.socket.connected);
  });

  it('waits for load balancers to forget it, also when nobody is there', async () => {
    const gateway = await startGateway(world, { DRAIN_DELAY_MS: '700' });
    await gateway.gateway.stop('test');
    expect(finished(gateway).durationMs).toBeGreaterThanOrEqual(690);
    expect(finished(gateway).steps.find(({ name }) => name === 'close connections')).toMatchObject({ outcome: 'done' });
  });

  it('keeps a connection for the answers that it waits for, a second at most, and no other', async () => {
    const never = { ...events, 'zone:roster': { limit: defaultRateOf('zone:roster'), order: 'at-once', may: anyone, handle: () => new Promise(() => undefined) } } as never;
    const gateway = await startGateway(world, {}, { events: never });
    using waiting = await join(gateway, 'p1');
    using other = await join(gateway, 'p2');
    const [waitingId, otherId] = [waiting.socket.id ?? '', other.socket.id ?? ''];
    const closedAt = watchClosing(gateway);
    waiting.socket.emit('zone:roster', { zoneId: 'meadow' });
    await eventually(() => gateway.gateway.realms[0]?.calls.count === 1);
    using lost = startLostTime();
    const startedAt = performance.now();
    await gateway.gateway.stop('test');
    expect((closedAt.get(otherId) ?? 0) - startedAt).toBeLessThan(800 + lost.ms);
    expect((closedAt.get(waitingId) ?? 0) - startedAt).toBeGreaterThanOrEqual(990);
    expect(finished(gateway).durationMs).toBeLessThan(3_000 + lost.ms);
  });

  it('sends long-polling clients away as well, also between two polls', async () => {
    const gateway = await startGateway(world);
    const client = await join(gateway, 'p1', { transports: ['polling'] });
    const reasons: string[] = [];
    client.socket.on('disconnect', (reason) => reasons.push(reason));
    using lost = startLostTime();
    await gateway.gateway.stop('test');
    const lostMs = lost.ms;
    await eventually(() => reasons.length > 0);
    expect(['transport close', 'transport error']).toContain(reasons[0]);
    expect(finished(gateway).durationMs).toBeLessThan(5_000 + lostMs);
  });

  it('tells and closes who joined after the announcement', async () => {
    const { gateway, hurry } = await startPatient();
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const texts: string[] = [];
    let closed = false;
    socket.addEventListener('message', ({ data }) => void texts.push(String(data)));
    socket.addEventListener('close', () => { closed = true; });
    await eventually(() => texts.length > 0);
    const stopped = gateway.gateway.stop('test');
    socket.send(`40/realm/${gateway.realm},${JSON.stringify({ token: await tokenFor('p3') })}`);
    await eventually(() => texts.some((text) => text.includes('session:draining')));
    expect(texts.findIndex((text) => text.includes('session:welcome'))).toBeLessThan(texts.findIndex((text) => text.includes('session:draining')));
    hurry();
    await stopped;
    await eventually(() => closed);
  });

  it('ends within its limits although a client reads nothing', async () => {
    const gateway = await startGateway(world);
    const raw = await deafClient(gateway, await tokenFor('p4'));
    const filler = { text: 'x'.repeat(60_000) };
    const nsp = gateway.gateway.realms[0]?.nsp as unknown as Namespace;
    // More than what the kernel buffers of both ends take.
    for (let n = 0; n < 300; n += 1) nsp.local.emit('app:filler', filler);
    using lost = startLostTime();
    await gateway.gateway.stop('test');
    // Each step has a limit of real time, so what the machine lost may have cost one its end.
    if (lost.ms < 500) expect(finished(gateway).steps.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
    expect(finished(gateway).durationMs).toBeLessThan(5_000 + lost.ms);
    raw.destroy();
  });

  it.each([
    ['gone', (redis: Awaited<ReturnType<typeof startRedis>>) => redis.kill()],
    ['frozen', (redis: Awaited<ReturnType<typeof startRedis>>) => { redis.pause(); return Promise.resolve(); }],
  ])('ends within its limits while Redis is %s', async (_what, goAway) => {
    const redis = await startRedis();
    const gateway = await startGateway(world, { REDIS_URL: redis.url });
    using client = await join(gateway, 'p5');
    await goAway(redis);
    using lost = startLostTime();
    await gateway.gateway.stop('test');
    expect(finished(gateway).durationMs).toBeLessThan(6_000 + lost.ms);
    expect(told(client)).toBeGreaterThanOrEqual(0);
    await eventually(() => !client.socket.connected);
    redis.resume();
    await redis.stop();
  });

  it('of a process ends soon after a second signal, and takes its steps all the same', async () => {
    const realm = uniqueRealm();
    const entry = new URL('../src/main.ts', import.meta.url);
    const env = {
      NODE_ENV: 'development', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_PORT: '0', REDIS_URL: services().redisUrl, DATABASE_URL: world.databaseUrl,
      JWT_SECRET: secret, REALMS: realm, EPOCH_GRACE_MS: '100', DRAIN_DELAY_MS: '20000', DRAIN_TIMEOUT_MS: '20000',
    };
    await using child = await startProcess({ name: 'gateway', entry, env });
    const url = `http://127.0.0.1:${child.ready.publicPort ?? 0}`;
    const client = await join({ url, realm }, 'p6');
    process.kill(child.pid, 'SIGTERM');
    await client.hears('session:draining');
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    // From the announcement on; the client is told a moment later.
    expect(told(client)).toBeGreaterThan(16_000);
    const hurriedAt = performance.now();
    process.kill(child.pid, 'SIGTERM');
    expect(await child.exited).toBe(0);
    expect(performance.now() - hurriedAt).toBeLessThan(15_000);
    await eventually(() => !client.socket.connected);
    expect(child.output()).toContain('"name":"leave the cluster","outcome":"done"');
  });
});

/** A WebSocket client that joins and then takes nothing from its connection any more. */
async function deafClient({ url, realm }: TestGateway, token: string): Promise<ReturnType<typeof connect>> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => { text += chunk.toString('latin1'); });
  socket.on('error', () => undefined);
  socket.write(`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
  await eventually(() => text.includes('pingInterval'));
  const payload = Buffer.from(`40/realm/${realm},${JSON.stringify({ token })}`);
  const head = payload.length < 126 ? [0x81, 0x80 | payload.length] : [0x81, 0xfe, payload.length >> 8, payload.length & 255];
  // A mask of zeros leaves the text as it is.
  socket.write(Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]));
  await eventually(() => text.includes('session:welcome'));
  socket.pause();
  return socket;
}
