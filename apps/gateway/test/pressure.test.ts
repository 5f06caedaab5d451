import { Agent, request } from 'node:http';
import { eventually, timePasses } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, join, startGateway, startWorld, type TestWorld, tokenFor } from './_gateway.ts';
import { startGatewayProcess } from './_gateway-process.ts';
import { openRaw } from './_raw-websocket.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const path = '/socket.io/?EIO=4&transport=polling';
const handshake = (url: string): Promise<Response> => fetch(`${url}${path}`);
const readiness = async (url: string): Promise<{ status: number; reasons: string[] }> => {
  const response = await fetch(`${url}/readyz`);
  const body = (await response.json()) as { data?: { reasons: string[] }; error?: { reasons: string[] } };
  return { status: response.status, reasons: body.error?.reasons ?? body.data?.reasons ?? [] };
};

describe('a gateway under pressure', () => {
  const loaded = () => {
    const figures = { heap: 0.1, delayMs: 0 };
    return { figures, load: { memory: () => ({ heap: figures.heap, container: null }), loopDelayMs: () => figures.delayMs, collect: () => undefined, stop: () => undefined } };
  };

  it.each([
    ['heap', { heap: 0.9 }, 'pressure: the heap is 90 % full'],
    ['delayMs', { delayMs: 70_000 }, 'pressure: the event loop is 70000 ms late'],
  ])('of its %s refuses handshakes as busy over both transports, says why, and takes them again when it is over', async (_what, more, reason) => {
    const { figures, load } = loaded();
    await using gateway = await startGateway(world, {}, { load });
    using present = await join(gateway, 'p1');
    Object.assign(figures, more);
    await eventually(async () => { expect(await readiness(gateway.url)).toEqual({ status: 503, reasons: [reason] }); });
    const refused = await handshake(gateway.url);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ code: 'server/busy', retry: 'later' });
    await expect(openRaw(gateway.url)).rejects.toThrow('503');
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    expect(await present.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    using late = clientOf(gateway, { token: await tokenFor('p2') }, { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 300 });
    Object.assign(figures, { heap: 0.1, delayMs: 0 });
    await eventually(() => late.socket.connected, { timeoutMs: 15_000 });
    expect(await readiness(gateway.url)).toEqual({ status: 200, reasons: [] });
  });

  it('closes the door on the next handshake, however long the next look is away', async () => {
    const { figures, load } = loaded();
    await using gateway = await startGateway(world, {}, { load });
    let looked = 0;
    load.memory = () => {
      looked += 1;
      return { heap: figures.heap, container: null };
    };
    await eventually(() => looked > 0, { intervalMs: 1, what: 'a look of the timer, the next one half a second away' });
    figures.heap = 0.9;
    await timePasses(25, 'until the figure is too old for a newcomer');
    expect((await handshake(gateway.url)).status).toBe(503);
  });

  it('sends nothing ephemeral and counts it; what is critical or direct goes on', async () => {
    const { figures, load } = loaded();
    await using gateway = await startGateway(world, {}, { load });
    using typing = await join(gateway, 'p3');
    using present = await join(gateway, 'p4');
    const { nsp, rooms } = gateway.gateway.realms[0]!;
    const metrics = async (): Promise<string> => (await fetch(`${gateway.internalUrl}/metrics`)).text();
    figures.heap = 0.9;
    await eventually(async () => (await readiness(gateway.url)).status === 503);
    expect(await typing.ask('chat:typing', { channel: { kind: 'zone', id: 'meadow' } })).toMatchObject({ ok: true });
    nsp.volatile.emit('app:volatile' as never, {});
    await eventually(async () => { expect(await metrics()).toMatch(/skirmish_ephemeral_dropped_total\{[^}]*\} 2/); });
    await rooms.broadcastToRoom('zone:meadow' as never, 'app:critical', { n: 1 });
    await present.hears('app:critical' as never);
    expect(present.heard.some(({ event }) => event === 'chat:typing' || event === 'app:volatile')).toBe(false);
    figures.heap = 0.1;
    await eventually(async () => (await readiness(gateway.url)).status === 200, { timeoutMs: 10_000 });
    nsp.volatile.emit('app:volatile' as never, {});
    await eventually(() => present.heard.some(({ event }) => event === 'app:volatile'));
  });
});

/** The status of a handshake whose headers are as long as a server takes. */
function heavyHandshake(agent: Agent, url: string, number: number): Promise<number> {
  return new Promise((resolve) => {
    const heavy = request(`${url}${path}`, { headers: { 'x-load': String(number).padEnd(15_000, '.') }, agent }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    heavy.on('error', () => { resolve(0); });
    heavy.end();
  });
}

describe('a gateway with a heap of 96 MB', () => {
  it('refuses handshakes before its memory is full, lives on, and recovers', async () => {
    await using gateway = await startGatewayProcess(
      world,
      { HANDSHAKES_PER_SECOND_MAX: '100000', SOCKETS_PER_ADDRESS_MAX: '100000', CONNECT_TIMEOUT_MS: '20000' },
      ['--max-old-space-size=96'],
    );
    using present = await join(gateway, 'p5');
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    const statuses = new Map<number, number>();
    const storm = async (): Promise<void> => {
      for (const status of await Promise.all(Array.from({ length: 50 }, (_, number) => heavyHandshake(agent, gateway.url, number)))) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const deadline = performance.now() + 120_000;
    while (!statuses.has(503)) {
      await storm();
      const seen = `${JSON.stringify(Object.fromEntries(statuses))}: ${gateway.process.output().slice(-2_000)}`;
      expect(gateway.process.isRunning(), seen).toBe(true);
      expect(performance.now(), seen).toBeLessThan(deadline);
    }
    expect((await readiness(gateway.url)).reasons.join()).toMatch(/pressure: the heap is \d+ % full/);
    // The storm goes on against the closed door.
    for (let round = 0; round < 20; round++) {
      await storm();
      await timePasses(50, 'between two waves');
    }
    expect(await present.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    process.stdout.write(`96 MB, stormed: ${JSON.stringify(Object.fromEntries(statuses))}, ${(await readiness(gateway.url)).reasons.join()}\n`);
    await eventually(async () => { expect((await handshake(gateway.url)).status, (await readiness(gateway.url)).reasons.join()).toBe(200); }, { timeoutMs: 120_000, intervalMs: 500, what: 'the recovery' });
    agent.destroy();
    process.stdout.write(`96 MB: ${JSON.stringify(Object.fromEntries(statuses))}, connections ${(await gateway.measure()).connections}\n`);
    expect(gateway.process.isRunning()).toBe(true);
    expect(gateway.process.output()).not.toMatch(/heap out of memory|unhandled/i);
    expect(statuses.get(200)).toBeGreaterThan(100);
  }, 300_000);
});
