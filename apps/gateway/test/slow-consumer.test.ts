import { createEmitter, type Emitter } from '@skirmish/emitter';
import { type RealmId, roomOf, type ZoneId } from '@skirmish/protocol';
import { createRedis, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services, timePasses } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join, startGateway, startWorld, type TestWorld, tokenFor } from './_gateway.ts';
import { type GatewayProcess, startGatewayProcess } from './_gateway-process.ts';
import { openRaw, type RawWebSocket } from './_raw-websocket.ts';

let world: TestWorld;
let redis: Redis;
beforeAll(async () => {
  world = await startWorld(40);
  redis = createRedis({ url: services().redisUrl, name: 'test', role: 'command' });
  await whenReady(redis);
});
afterAll(async () => {
  redis.disconnect();
  await world[Symbol.asyncDispose]();
});

const zone = roomOf.zone('meadow' as ZoneId);
const filler = 'x'.repeat(16_000);
/** Twice the hard budget and what comes between two looks; what piles up while the gateway stands still comes at once, a megabyte per second. */
const waitingBytesMax = (lateMs: number): number => 1_048_576 + 262_144 + 1_000 * lateMs;

/** A player that joined, and from now on reads nothing. */
async function joinAndFreeze({ url, realm }: { url: string; realm: string }, userId: string): Promise<RawWebSocket> {
  const raw = await openRaw(url);
  raw.send(`40/realm/${realm},${JSON.stringify({ token: await tokenFor(userId) })}`);
  await raw.hears('session:welcome');
  raw.socket.pause();
  return raw;
}

/** The same, for one that was there before and continues its session, in which it missed next to nothing. */
async function resumeAndFreeze({ url, realm }: { url: string; realm: string }, userId: string): Promise<RawWebSocket> {
  const token = await tokenFor(userId);
  const first = await openRaw(url);
  first.send(`40/realm/${realm},${JSON.stringify({ token })}`);
  const [, offset] = /"(\d+-\d+)"\]$/.exec(await first.hears('session:welcome')) ?? [];
  const [, pid] = /"pid":"([^"]+)"/.exec(first.frames.find((frame) => frame.startsWith('40/realm/')) ?? '') ?? [];
  first.socket.destroy();
  const second = await openRaw(url);
  second.send(`40/realm/${realm},${JSON.stringify({ token, pid, offset })}`);
  expect(await second.hears('session:welcome')).toContain('"recovered":true');
  second.socket.pause();
  return second;
}

/** Sends 16 kB to everybody in the zone, `perSecond` times a second, until it is stopped. */
function flood(emitter: Emitter, perSecond: number): () => void {
  const timer = setInterval(() => { emitter.emit({ rooms: [zone] }, 'app:flood', { sentAtMs: performance.now(), filler }).catch(() => undefined); }, 1_000 / perSecond);
  return () => { clearInterval(timer); };
}

const emitterOf = (realm: string): Emitter => createEmitter({ redis, realm: realm as RealmId, epochGraceMs: 0 });
const closedCount = async ({ internalUrl }: { internalUrl: string }, reason: string): Promise<number> => {
  const text = await (await fetch(`${internalUrl}/metrics`)).text();
  return Number(new RegExp(`slow_consumer_closed_total\\{[^}]*reason="${reason}"[^}]*\\} (\\d+)`).exec(text)?.[1] ?? 0);
};
const percentile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
const medianOf = (values: readonly number[]): number => percentile(values, 0.5);

describe('a client that does not read', () => {
  it('costs the gateway no more than a megabyte, and is gone within 30 s, though it sends a pong now and then', async () => {
    await using gateway = await startGatewayProcess(world);
    using honest = await join(gateway, 'p1');
    const stop = flood(emitterOf(gateway.realm), 60);
    await timePasses(3_000, 'the traffic before');
    const before = await gateway.measure();
    using frozen = await joinAndFreeze(gateway, 'p2');
    const frozenAtMs = performance.now();
    const heard = (): number => honest.payloads('app:flood' as never).length;
    const heardBefore = heard();
    // Often enough to look alive, and not more often than is allowed.
    const pongs = setInterval(() => { frozen.send('3'); }, 9_000);
    let liveBytes = 0;
    let peakWaitingBytes = 0;
    let lateMs = 0;
    await eventually(
      async () => {
        const now = await gateway.measure();
        liveBytes = Math.max(liveBytes, now.liveBytes);
        peakWaitingBytes = Math.max(peakWaitingBytes, now.peakWaitingBytes);
        lateMs = Math.max(lateMs, now.lateMs);
        return (await closedCount(gateway, 'too-much')) === 1 && now.connections === 1;
      },
      { timeoutMs: 60_000, intervalMs: 500, what: 'the end of the frozen connection' },
    );
    const goneAfterMs = performance.now() - frozenAtMs;
    const events = heard() - heardBefore;
    clearInterval(pongs);
    stop();
    const figures = { goneAfterMs: Math.round(goneAfterMs), events, peakWaitingBytes, lateMs: Math.round(lateMs), before: before.peakWaitingBytes, grewBytes: liveBytes - before.liveBytes };
    process.stdout.write(`slow consumer: ${JSON.stringify(figures)}\n`);
    // Half a minute of this traffic; on a slow machine that takes longer.
    expect(events).toBeLessThan(30 * 60);
    expect(peakWaitingBytes).toBeGreaterThan(131_072);
    expect(peakWaitingBytes).toBeLessThanOrEqual(waitingBytesMax(lateMs));
    expect(figures.grewBytes).toBeLessThan(4_000_000);
    expect(honest.socket.connected).toBe(true);
  }, 90_000);

  it('costs no more when it has resumed its session first: only the replay itself is beside the budgets', async () => {
    await using gateway = await startGatewayProcess(world);
    using frozen = await resumeAndFreeze(gateway, 'p2');
    const stop = flood(emitterOf(gateway.realm), 60);
    let peakWaitingBytes = 0;
    let lateMs = 0;
    await eventually(
      async () => {
        const now = await gateway.measure();
        peakWaitingBytes = Math.max(peakWaitingBytes, now.peakWaitingBytes);
        lateMs = Math.max(lateMs, now.lateMs);
        return now.connections === 0;
      },
      { timeoutMs: 60_000, intervalMs: 500, what: 'the end of the frozen connection' },
    );
    stop();
    expect(frozen.socket.isPaused()).toBe(true);
    expect(await closedCount(gateway, 'too-much')).toBe(1);
    expect(peakWaitingBytes).toBeLessThanOrEqual(waitingBytesMax(lateMs));
  }, 90_000);

  it('does not slow the others down, and takes nothing from them', async () => {
    await using gateway = await startGatewayProcess(world);
    const clients: Client[] = [];
    for (let player = 3; player < 13; player++) clients.push(await join(gateway, `p${player}`));
    let delays: number[] = [];
    for (const { socket } of clients) socket.on('app:flood', ({ sentAtMs }: { sentAtMs: number }) => { delays.push(performance.now() - sentAtMs); });
    const stop = flood(emitterOf(gateway.realm), 60);
    const p95During = async (what: string): Promise<number> => {
      delays = [];
      await timePasses(3_000, what);
      return percentile(delays, 0.95);
    };
    let player = 14;
    const without = (): Promise<number> => p95During('traffic without');
    const withIt = async (): Promise<number> => {
      using frozen = await joinAndFreeze(gateway, `p${player++}`);
      const p95 = await p95During('traffic with a client that does not read');
      frozen.socket.destroy();
      return p95;
    };
    await p95During('warming up');
    const pairs: { without: number; with: number }[] = [];
    // Each in turn goes first, so that a machine that gets busier or calmer favours neither.
    for (let pair = 0; pair < 5; pair++) {
      if (pair % 2 === 0) pairs.push({ without: await without(), with: await withIt() });
      else pairs.push({ with: await withIt(), without: await without() });
    }
    stop();
    const counts = (): number[] => clients.map((client) => client.payloads('app:flood' as never).length);
    await eventually(() => new Set(counts()).size === 1);
    const ratio = medianOf(pairs.map((pair) => pair.with / pair.without));
    const shown = pairs.map((pair) => `${pair.with.toFixed(1)}/${pair.without.toFixed(1)} ms`).join(' ');
    process.stdout.write(`p95 of the others, with / without: ${shown}, median of the ratios ${ratio.toFixed(2)}, ${counts()[0]} events each\n`);
    expect(counts()[0]).toBeGreaterThan(100);
    // 1.1 on a quiet machine; a busy one shows its own noise.
    expect(ratio).toBeLessThan(2);
  }, 120_000);

  it('over polling is closed as well: everything waits for the GET that does not come', async () => {
    await using gateway: GatewayProcess = await startGatewayProcess(world);
    const at = (sid: string): string => `${gateway.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    const opened = await (await fetch(at(''))).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    await fetch(at(sid), { method: 'POST', body: `40/realm/${gateway.realm},${JSON.stringify({ token: await tokenFor('p20') })}` });
    await eventually(async () => (await (await fetch(at(sid))).text()).includes('session:welcome'));
    const stop = flood(emitterOf(gateway.realm), 60);
    await eventually(async () => (await closedCount(gateway, 'too-much')) === 1, { timeoutMs: 40_000 });
    stop();
    expect((await fetch(at(sid))).status).toBe(400);
    const { peakWaitingBytes, lateMs } = await gateway.measure();
    expect(peakWaitingBytes).toBeLessThanOrEqual(waitingBytesMax(lateMs));
  }, 60_000);

  it('without much traffic goes after 20 s without progress', async () => {
    await using gateway = await startGatewayProcess(world, { SOCKET_SOFT_BYTES_MAX: '50000000', SOCKET_HARD_BYTES_MAX: '100000000' });
    using frozen = await joinAndFreeze(gateway, 'p21');
    const emitter = emitterOf(gateway.realm);
    let roundMs = 0;
    const waiting = async (): Promise<boolean> => {
      const begunAtMs = performance.now();
      await Promise.all(Array.from({ length: 50 }, () => emitter.emit({ rooms: [zone] }, 'app:flood', { filler })));
      const { peakWaitingBytes } = await gateway.measure();
      roundMs = performance.now() - begunAtMs;
      return peakWaitingBytes > 500_000;
    };
    await eventually(waiting, { timeoutMs: 40_000 });
    // Its last progress was in this round, or in the one before.
    const progressAtMs = performance.now() - 2 * roundMs;
    await eventually(async () => (await closedCount(gateway, 'no-progress')) === 1, { timeoutMs: 60_000, intervalMs: 250 });
    expect(performance.now() - progressAtMs).toBeGreaterThan(18_000);
    expect((await gateway.measure()).connections).toBe(0);
    frozen.socket.resume();
    await eventually(() => frozen.isClosed());
  }, 90_000);

  it('gets no ticks while it is behind, and the whole zone when it has caught up', async () => {
    await using gateway = await startGateway(world, { SOCKET_SOFT_BYTES_MAX: '20000', SOCKET_HARD_BYTES_MAX: '100000000' });
    using mover = await join(gateway, 'p22');
    using frozen = await joinAndFreeze(gateway, 'p23');
    const { nsp } = gateway.gateway.realms[0]!;
    const metrics = async (): Promise<string> => (await fetch(`${gateway.internalUrl}/metrics`)).text();
    await eventually(async () => {
      nsp.local.to(zone).emit('app:flood' as never, { filler });
      return /skirmish_slow_consumer_total\{[^}]*\} 1/.test(await metrics());
    }, { timeoutMs: 20_000, intervalMs: 1 });
    const heardBefore = mover.payloads('zone:tick').length;
    expect(await mover.ask('character:move', { seq: 1, x: 424, y: 400 })).toMatchObject({ ok: true });
    nsp.local.volatile.to(zone).emit('app:volatile' as never, {});
    await eventually(() => mover.payloads('zone:tick').length >= heardBefore + 2);
    frozen.socket.resume();
    const snapshot = await eventually(() => frozen.frames.find((frame) => frame.includes('"zone:tick"') && frame.includes('"x":424,"y":400')) ?? '', { timeoutMs: 10_000 });
    // A snapshot names everybody as entered; a tick, and the keyframe every 2 s, would name the move as moved.
    expect(snapshot).toContain('"moved":[],"entered":[{');
    expect(snapshot).toContain('"keyframe":true');
    expect(frozen.frames.slice(0, frozen.frames.indexOf(snapshot)).some((frame) => frame.includes('["c22",424'))).toBe(false);
    expect(frozen.frames.some((frame) => frame.includes('app:volatile'))).toBe(false);
    expect(mover.heard.some(({ event }) => event === 'app:volatile')).toBe(true);
  }, 60_000);
});
