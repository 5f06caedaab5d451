import { roomOf, type ZoneId } from '@skirmish/protocol';
import { eventually, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { openRaw, type RawWebSocket } from './_raw-websocket.ts';
import { changesHeard, membersHeard, watch } from './_watch-bench.ts';

let world: TestWorld;
beforeAll(async () => { world = await startWorld(20); });
afterAll(() => world[Symbol.asyncDispose]());

const env = (): Record<string, string> => ({ REALMS: uniqueRealm(), PRESENCE_GRACE_MS: '100', RATE_LIMIT_SCALE: '100', SOCKET_SOFT_BYTES_MAX: '20000', SOCKET_HARD_BYTES_MAX: '100000000' });
const servedBy = ({ gateway }: TestGateway) => gateway.realms[0]!;
const metricOf = async ({ internalUrl }: TestGateway, name: string): Promise<number> => {
  const text = await (await fetch(`${internalUrl}/metrics`)).text();
  return Number(new RegExp(`^skirmish_${name}\\{[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
};

/** Turns in which the gateway would tell whatever it has to tell. */
async function someTurns(gateway: TestGateway): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await servedBy(gateway).presence.runTurn();
}

describe('presence at a gateway under pressure', () => {
  it('waits, and is told once and as it is then when the pressure is over', async () => {
    const figures = { heap: 0.1 };
    const load = { memory: () => ({ heap: figures.heap, container: null }), loopDelayMs: () => 0, collect: () => undefined, stop: () => undefined };
    const settings = env();
    await using pressed = await startGateway(world, settings, { load });
    await using other = await startGateway(world, settings);
    using mate = await join(pressed, 'p7');
    using watcher = await join(pressed, 'p1');
    await watch(watcher, 'p3', 'p5');
    // The announcements of both are over.
    await eventually(() => { expect(membersHeard(mate)).toEqual(['+p1']); }, { timeoutMs: 15_000 });
    const before = membersHeard(watcher);
    figures.heap = 0.99;
    await eventually(async () => (await fetch(`${pressed.url}/readyz`)).status === 503, { timeoutMs: 15_000, what: 'the pressure' });

    using stays = await join(other, 'p3');
    const goes = await join(other, 'p5');
    await eventually(() => { expect(servedBy(pressed).presence.size).toMatchObject({ news: 1, announcements: 2 }); }, { timeoutMs: 15_000, what: 'the news of both' });
    goes[Symbol.dispose]();
    // Of one who came and went nothing is left to tell its guild.
    await eventually(() => servedBy(pressed).presence.size.announcements === 1, { timeoutMs: 15_000, what: 'the announcement of the one who stays' });
    await someTurns(pressed);
    expect(await watcher.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    expect(changesHeard(watcher)).toEqual([]);
    expect(membersHeard(watcher)).toEqual(before);
    expect(await metricOf(pressed, 'ephemeral_dropped_total')).toBeGreaterThan(0);

    figures.heap = 0.1;
    await eventually(() => { expect(membersHeard(watcher)).toEqual([...before, '+p3']); }, { timeoutMs: 15_000 });
    expect(changesHeard(watcher)).toEqual(['p3 online']);
    expect(await stays.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
  }, 60_000);
});

describe('presence at a client that does not read', () => {
  const filler = 'x'.repeat(16_000);
  const framesOf = ({ frames }: RawWebSocket, name: string): string[] => frames.filter((frame) => frame.includes(`"${name}"`));

  /** A client that has watched these users and from now on reads nothing, until the gateway takes it for slow. */
  async function frozenWatcher(gateway: TestGateway, userIds: readonly string[]): Promise<RawWebSocket> {
    const raw = await openRaw(gateway.url);
    raw.send(`40/realm/${gateway.realm},${JSON.stringify({ token: await tokenFor('p1') })}`);
    await raw.hears('session:welcome');
    raw.send(`42/realm/${gateway.realm},7${JSON.stringify(['presence:watch', { userIds }])}`);
    await raw.hears(`43/realm/${gateway.realm},7`);
    raw.socket.pause();
    await eventually(async () => {
      servedBy(gateway).nsp.local.to(roomOf.zone('meadow' as ZoneId)).emit('app:flood' as never, { filler });
      return (await metricOf(gateway, 'slow_consumer_total')) === 1;
    }, { timeoutMs: 20_000, intervalMs: 1, what: 'the client to be taken for slow' });
    return raw;
  }

  it('waits for that client alone, which hears the newest once it reads', async () => {
    await using gateway = await startGateway(world, env());
    using reading: Client = await join(gateway, 'p2');
    await watch(reading, 'p4', 'p6');
    using frozen = await frozenWatcher(gateway, ['p3', 'p5', 'p2']);
    using stays = await join(gateway, 'p3');
    const goes = await join(gateway, 'p5');
    const ofTheOne = (client: Client): string[] => membersHeard(client).filter((heard) => heard.endsWith('p5'));
    using seen = await join(gateway, 'p4');
    await eventually(() => { expect(changesHeard(reading)).toEqual(['p4 online']); }, { timeoutMs: 15_000 });
    await eventually(() => { expect(ofTheOne(stays)).toEqual(['+p5']); }, { timeoutMs: 15_000 });
    expect(servedBy(gateway).presence.size.news).toBe(1);
    goes[Symbol.dispose]();
    await eventually(() => { expect(ofTheOne(stays)).toEqual(['+p5', '-p5']); }, { timeoutMs: 15_000 });
    await someTurns(gateway);
    expect(servedBy(gateway).presence.size.news).toBe(1);

    frozen.socket.resume();
    await eventually(() => framesOf(frozen, 'presence:changed').length > 0, { timeoutMs: 20_000, what: 'what it missed' });
    await someTurns(gateway);
    const told = framesOf(frozen, 'presence:changed');
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('"p3":{"online":true,"status":"online"}');
    expect(told[0]).not.toContain('"p5"');
    // What happened in its guild meanwhile is not told later.
    expect([...framesOf(frozen, 'guild:member-online'), ...framesOf(frozen, 'guild:member-offline')]).toEqual([]);
    expect(seen.socket.connected).toBe(true);
  }, 60_000);
});
