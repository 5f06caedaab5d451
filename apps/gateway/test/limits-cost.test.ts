import { type ClientEventName, type CombatId, defaultRateOf, type Rate } from '@skirmish/protocol';
import { createRedis, type Redis, whenReady } from '@skirmish/redis';
import { eventually, type RedisServer, startRedis } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyone } from '../src/connection/event-row.ts';
import type { EventTable } from '../src/connection/events.ts';
import { type Client, join, startGateway, startWorld, type TestWorld } from './_gateway.ts';
import { noLadder, openDatabase, scoreOf } from './_limits.ts';
import { startStatementCounter } from './_statement-counter.ts';

const events = 5_000;

let world: TestWorld;
let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  world = await startWorld();
  server = await startRedis({ appendOnly: false });
  redis = createRedis({ url: server.url, name: 'limits-cost', role: 'command' });
  await whenReady(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await world[Symbol.asyncDispose]();
});

/** Next to none of these pass, although frames may come by the thousand; the second one would be counted over all gateways. */
const scarce = (event: ClientEventName): Rate => ({ ...defaultRateOf(event), ratePerSecond: 0.000_01, burst: 0.000_01 });
const table: EventTable = {
  'session:ping': { limit: scarce('session:ping'), order: 'at-once', may: anyone, handle: () => ({ atMs: 1, serverTimeMs: 1 }) },
  'combat:start': { limit: scarce('combat:start'), order: 'in-turn', may: anyone, handle: () => ({ combatId: 'f' as CombatId }) },
};

const commandsOf = async (): Promise<number> => [...(await redis.info('commandstats')).matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);

/** In portions that are answered one after the other: what is done for each portion shows as well as what is done for each event. */
async function flood({ socket, payloads }: Client): Promise<void> {
  const portion = 250;
  for (let n = 0; n < events; n += 2) {
    socket.emit('session:ping', { atMs: n });
    socket.emit('combat:start', { commandId: `c${n}`, opponents: ['c2'] });
    // The first of each kind has passed.
    if (n % portion === 0) await eventually(() => payloads('session:refused').length >= n, { timeoutMs: 15_000, intervalMs: 1 });
  }
  await eventually(() => payloads('session:refused').length >= events - 2, { timeoutMs: 15_000 });
}

describe('5,000 refused events of one client', () => {
  it('[LIM2] cost one statement per second, no command of Redis, and no line in the log', async () => {
    await using database = openDatabase(world);
    await using postgres = await startStatementCounter(world.databaseUrl);
    await using gateway = await startGateway({ ...world, databaseUrl: postgres.url }, { REDIS_URL: server.url, RATE_LIMIT_SCALE: '1000', ...noLadder }, { events: table });
    using client = await join(gateway, 'p1');
    const before = { statements: postgres.statements, commands: await commandsOf() };
    expect(before.statements).toBeGreaterThan(0);
    const startedAtMs = performance.now();
    await flood(client);
    const floodMs = performance.now() - startedAtMs;
    const commands = (await commandsOf()) - before.commands;
    await eventually(async () => { expect((await scoreOf(database, 'p1')) ?? 0).toBeGreaterThan(events - 100); });
    const tookMs = performance.now() - startedAtMs;
    expect(postgres.statements - before.statements).toBeGreaterThan(0);
    expect(postgres.statements - before.statements).toBeLessThanOrEqual(Math.max(3, 2 + tookMs / 1_000));
    // Renewals and the reader of the inbox go on meanwhile.
    expect(commands).toBeLessThan(100 + floodMs / 5);
    const lines = gateway.logs.map((line) => JSON.parse(line) as { level: string; event?: string }).filter(({ event }) => event === 'event-refused');
    expect(lines.length).toBeGreaterThanOrEqual(events - 2);
    expect(lines.filter(({ level }) => level !== 'debug')).toEqual([]);
    process.stdout.write(`${events} events sent, refused and heard in ${Math.round(floodMs)} ms in one process; ${postgres.statements - before.statements} statements, ${commands} commands\n`);
  });
});
