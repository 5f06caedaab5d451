import { defaultRateOf, type MessageId } from '@skirmish/protocol';
import { createRedis, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services, startTcpProxy, type TcpProxy, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyone } from '../src/connection/event-row.ts';
import { type EventTable, events } from '../src/connection/events.ts';
import { type Client, clientOf, join, refusalOf, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { noLadder, sendChat } from './_limits.ts';

let world: TestWorld;
let redis: Redis;
beforeAll(async () => {
  world = await startWorld();
  redis = createRedis({ url: services().redisUrl, name: 'limits-test', role: 'command' });
  await whenReady(redis);
});
afterAll(async () => {
  redis.disconnect();
  await world[Symbol.asyncDispose]();
});

/** Several gateways of one realm. */
async function startGateways(count: number, env: Record<string, string> = {}, table: EventTable = events): Promise<TestGateway[] & AsyncDisposable> {
  const realm = uniqueRealm();
  const started = await Promise.all(Array.from({ length: count }, () => startGateway(world, { REALMS: realm, ...noLadder, ...env }, { events: table })));
  const dispose = async (): Promise<void> => { await Promise.all(started.map((gateway) => gateway[Symbol.asyncDispose]())); };
  return Object.assign(started, { [Symbol.asyncDispose]: dispose });
}

const isLimited = (answer: { ok: boolean; error?: { code: string } }): boolean => !answer.ok && answer.error?.code === 'rate/limited';
const closeAll = (clients: readonly Client[]): void => { for (const client of clients) client[Symbol.dispose](); };
const refusalsIn = (gateways: readonly TestGateway[], code: string): number =>
  gateways.flatMap(({ logs }) => logs).filter((line) => line.includes('"connect-refused"') && line.includes(`"${code}"`)).length;

describe('limits over three gateways', () => {
  it('[LIM1] give a user of chat:send its rate once, within a fifth, and everybody his own', async () => {
    const cheap: EventTable = { 'chat:send': { limit: defaultRateOf('chat:send'), order: 'in-turn', may: anyone, handle: () => ({ messageId: 'm' as MessageId }) } };
    await using gateways = await startGateways(3, { RATE_LIMIT_SCALE: '10' }, cheap);
    const clients = await Promise.all(gateways.map((gateway) => join(gateway, 'p1')));
    const startedAtMs = performance.now();
    const elapsedMs = (): number => performance.now() - startedAtMs;
    let [accepted, heardAtMs, givenMs] = [0, 0, 0];
    // Of a machine that stands still longer than the bucket takes to fill, the rest gives nothing.
    const heard = (): void => {
      givenMs += Math.min(elapsedMs() - heardAtMs, 1_000);
      heardAtMs = elapsedMs();
    };
    // Until a refusal says that nothing is saved up: several at once, so that a slow machine sends more than the rate as well.
    const send = async (client: Client): Promise<void> => {
      for (let spent = false; elapsedMs() < 2_000 || !spent;) {
        const answers = await Promise.all(Array.from({ length: 10 }, () => sendChat(client)));
        heard();
        accepted += answers.filter(({ ok }) => ok).length;
        spent = answers.some(isLimited);
      }
    };
    await Promise.all(clients.map(send));
    expect(accepted).toBeGreaterThan((200 + (100 * givenMs) / 1_000) * 0.8);
    expect(accepted).toBeLessThan((200 + (100 * elapsedMs()) / 1_000) * 1.2);
    using other = await join(gateways[1]!, 'p2');
    const answers = await Promise.all(Array.from({ length: 150 }, () => sendChat(other)));
    expect(answers.filter(isLimited)).toEqual([]);
    closeAll(clients);
  });

  it('[LIM1] give a user of combat:start two at once, not two for each gateway', async () => {
    await using gateways = await startGateways(3);
    const clients = await Promise.all(gateways.map((gateway) => join(gateway, 'p3')));
    const startedAtMs = performance.now();
    const answers = (await Promise.all(clients.flatMap((client, g) => [1, 2].map((n) => client.ask('combat:start', { commandId: `f${g}-${n}`, opponents: ['c4'] }))))).map(isLimited);
    const refillable = Math.ceil(((performance.now() - startedAtMs) / 1000) * 2);
    expect(answers.filter((limited) => !limited).length).toBeGreaterThanOrEqual(2);
    expect(answers.filter((limited) => !limited).length).toBeLessThanOrEqual(2 + refillable);
    closeAll(clients);
  });

  it('[RAT1] leave other events to each gateway', async () => {
    await using gateways = await startGateways(2);
    const clients = await Promise.all(gateways.map((gateway) => join(gateway, 'p5')));
    const answers = (await Promise.all(clients.map((client) => Promise.all(Array.from({ length: 20 }, () => client.ask('session:ping', { atMs: 1 })))))).flat();
    expect(answers.filter(isLimited)).toEqual([]);
    closeAll(clients);
  });
});

describe('connects of a user', () => {
  it('[LIM1] are limited over all gateways before anything is loaded; a client comes in later by itself', async () => {
    await using gateways = await startGateways(2, { CONNECTS_PER_USER_PER_SECOND: '1' });
    // Postgres does not know this user: whoever is asked for it gets auth/invalid.
    const token = await tokenFor('nobody');
    for (let n = 0; n < 6; n += 1) {
      using client = clientOf(gateways[n % 2]!, { token });
      expect((await refusalOf(client)).data?.code).toBe('auth/invalid');
    }
    // Those that come later than a second after the first may pass; each takes what has been given back.
    await eventually(async () => {
      const refused = (): number => refusalsIn(gateways, 'auth/invalid') + refusalsIn(gateways, 'rate/limited');
      const before = refused();
      const several = Array.from({ length: 4 }, (_, n) => clientOf(gateways[n % 2]!, { token }));
      await eventually(() => refused() >= before + 4);
      closeAll(several);
      expect(refusalsIn(gateways, 'rate/limited')).toBeGreaterThan(0);
    });
    using client = clientOf(gateways[0]!, { token }, { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 40 });
    const refusals: unknown[] = [];
    client.socket.on('connect_error', (error) => refusals.push((error as { data?: { code: string } }).data?.code));
    await eventually(() => refusals.length > 0, { timeoutMs: 10_000 });
    expect(refusals).toEqual(['auth/invalid']);
  });

  it('[LIM1] have defaults of five per second and thirty at once', async () => {
    await using gateways = await startGateways(2);
    const token = await tokenFor('nobody-else');
    const startedAtMs = performance.now();
    const clients = Array.from({ length: 60 }, (_, n) => clientOf(gateways[n % 2]!, { token }));
    const passed = (): number => refusalsIn(gateways, 'auth/invalid');
    await eventually(() => passed() + refusalsIn(gateways, 'rate/limited') === 60, { timeoutMs: 15_000 });
    expect(passed()).toBeGreaterThanOrEqual(30);
    expect(passed()).toBeLessThanOrEqual(31 + (5 * (performance.now() - startedAtMs)) / 1000);
    closeAll(clients);
  });
});

describe('while the Redis of the bus is away', () => {
  let proxy: TcpProxy;
  let gateway: TestGateway;
  beforeAll(async () => {
    proxy = await startTcpProxy({ targetPort: Number(new URL(services().redisUrl).port) });
    // The lanes keep theirs: what refuses an event can only be its limit.
    gateway = await startGateway(world, { ...noLadder, REDIS_URL: `redis://127.0.0.1:${proxy.port}`, QUEUE_REDIS_URL: services().redisUrl });
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await proxy.close();
  });

  it('[LIM8] events go on, uncounted, and connects are asked to come again', async () => {
    using client = await join(gateway, 'p7');
    proxy.blackhole();
    const token = await tokenFor('p8');
    using stranger = clientOf(gateway, { token }, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 });
    const errors: unknown[] = [];
    stranger.socket.on('connect_error', (error) => errors.push((error as { data?: unknown }).data));
    expect(await sendChat(client)).toMatchObject({ ok: true });
    await eventually(() => refusalsIn([gateway], 'server/unavailable') > 0);
    const tookMs: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const startedAtMs = performance.now();
      expect(await sendChat(client)).toMatchObject({ ok: true });
      tookMs.push(performance.now() - startedAtMs);
    }
    expect(Math.min(...tookMs)).toBeLessThan(500);
    expect(gateway.logs.some((line) => line.includes('"rate-uncounted"'))).toBe(true);
    expect(stranger.payloads('session:welcome')).toEqual([]);
    expect(errors.filter((data) => data !== undefined)).toEqual([]);
    proxy.heal();
    await stranger.hears('session:welcome');
  });
});

it('[LIM1] leaves nothing in Redis that the limits need no more', async () => {
  await using gateways = await startGateways(2);
  const kept = (): Promise<string[]> => redis.keys(`{${gateways[0]!.realm}}:limit:*`);
  using client = await join(gateways[0]!, 'p9');
  await eventually(async () => {
    await Promise.all(Array.from({ length: 10 }, () => sendChat(client)));
    expect(await kept()).toContain(`{${gateways[0]!.realm}}:limit:chat:send:p9`);
  });
  await eventually(async () => (await kept()).length === 0);
});
