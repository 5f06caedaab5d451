import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { promisify } from 'node:util';
import { eventually } from '@skirmish/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Forwarder, listen, type Listening, startForwarder } from './_forwarder.ts';
import { engineUrl } from './_polling.ts';
import { type RawUpgrade, rawUpgrade } from './_raw-upgrade.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface World {
  readonly owner: Listening;
  readonly at: Forwarder;
  readonly url: string;
  /** The owner's ends of the tunnels. */
  readonly ends: Socket[];
  readonly requests: IncomingMessage[];
}

/** An owner that agrees to every upgrade and sends back what it hears. */
async function start(onUpgrade?: (socket: Socket) => void): Promise<World> {
  const owner = await listen();
  const [ends, requests]: [Socket[], IncomingMessage[]] = [[], []];
  owner.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    requests.push(request);
    ends.push(socket);
    socket.on('error', () => undefined);
    if (onUpgrade) return onUpgrade(socket);
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    socket.write(head);
    socket.pipe(socket);
  });
  const at = await startForwarder(owner.port);
  open.push(owner, at);
  return { owner, at, url: engineUrl(at.url, at.sid, 'websocket'), ends, requests };
}

const agreed = (upgrade: RawUpgrade): Promise<unknown> => eventually(() => upgrade.text.includes('101 Switching'), { what: 'the tunnel to be open' });

async function nothingLeft({ owner, at }: World): Promise<void> {
  await eventually(() => owner.connections.size + at.connections.size + at.forwarding.tunnels === 0, { what: 'both connections to be gone' });
  expect(await at.metric('tunnelled_websockets')).toBe(0);
}

describe('a tunnel', () => {
  it('passes bytes in both directions, also those that came with the request', async () => {
    const world = await start();
    const early = 'x'.repeat(2_000);
    const upgrade = await rawUpgrade(world.url, early);
    const bytes = randomBytes(500_000).toString('latin1');
    upgrade.socket.write(bytes, 'latin1');
    await eventually(() => upgrade.text.length >= '\r\n\r\n'.length + 32 + early.length + bytes.length);
    expect(upgrade.text === `HTTP/1.1 101 Switching Protocols\r\n\r\n${early}${bytes}`).toBe(true);
    expect(world.requests[0]?.headers).toMatchObject({ upgrade: 'websocket', connection: 'Upgrade', 'x-forwarded-for': '127.0.0.1', 'sec-websocket-version': '13' });
    expect(world.requests[0]?.url).toBe(new URL(world.url).pathname + new URL(world.url).search);
    expect(await world.at.metric('tunnelled_websockets')).toBe(1);
    expect(await world.at.metric('forwarded_requests_total{outcome="tunnelled"')).toBe(1);
    upgrade.socket.destroy();
    await nothingLeft(world);
  });

  it.each([
    ['the client vanishes', (upgrade: RawUpgrade) => { upgrade.socket.resetAndDestroy(); }],
    ['the client ends', (upgrade: RawUpgrade) => { upgrade.socket.end(); }],
    ['the owner vanishes', (_upgrade: RawUpgrade, { ends }: World) => { ends[0]?.resetAndDestroy(); }],
    ['the owner ends', (_upgrade: RawUpgrade, { ends }: World) => { ends[0]?.end(); }],
  ])('is gone at both ends when %s', async (_name, end) => {
    const world = await start();
    const upgrade = await rawUpgrade(world.url);
    await agreed(upgrade);
    end(upgrade, world);
    await eventually(() => upgrade.isClosed);
    await nothingLeft(world);
  });

  it('brings the last words of an owner that refuses and closes', async () => {
    const words = `HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n${'Session ID unknown '.repeat(20_000)}`;
    const world = await start((socket) => socket.end(words));
    const upgrade = await rawUpgrade(world.url);
    await eventually(() => upgrade.isClosed);
    expect(upgrade.text === words).toBe(true);
    await nothingLeft(world);
    expect(await world.at.metric('forwarded_requests_total{outcome="tunnelled"')).toBe(0);
  });

  it('is refused when nobody listens where its owner was', async () => {
    const world = await start();
    await world.owner[Symbol.asyncDispose]();
    const upgrade = await rawUpgrade(world.url);
    await eventually(() => upgrade.isClosed);
    expect(upgrade.text).toMatch(/^HTTP\/1\.1 503 /);
    await nothingLeft(world);
  });
});

describe('an upgrade at the internal port that is none of a session', () => {
  it('is refused, and a caller that resets its connection meanwhile does not end the process', async () => {
    const internal = createServer();
    await new Promise<void>((resolve) => { internal.listen(0, '127.0.0.1', resolve); });
    open.push({ [Symbol.asyncDispose]: () => promisify(internal.close.bind(internal))() }, await startForwarder(1, { internal }));
    const heard: number[] = [];
    // Node takes its own listener away with the upgrade: without another one a reset is an uncaught exception.
    internal.on('upgrade', (_request, socket: Socket) => heard.push(socket.listenerCount('error')));
    const { port } = internal.address() as AddressInfo;
    const refused = await rawUpgrade(`http://127.0.0.1:${port}/elsewhere`);
    await eventually(() => refused.isClosed);
    expect(refused.text).toMatch(/^HTTP\/1\.1 400 /);
    const reset = await rawUpgrade(`http://127.0.0.1:${port}/elsewhere`);
    reset.socket.resetAndDestroy();
    await eventually(() => heard.length === 2);
    expect(Math.min(...heard)).toBeGreaterThan(0);
  });
});

describe('many tunnels', () => {
  it('are closed in slices, the oldest first, when this gateway stops', async () => {
    const world = await start();
    const upgrades: RawUpgrade[] = [];
    for (let count = 0; count < 45; count += 1) {
      const upgrade = await rawUpgrade(world.url);
      await agreed(upgrade);
      upgrades.push(upgrade);
    }
    expect(world.at.forwarding.closeTunnels(5)).toBe(45);
    await eventually(() => upgrades.filter(({ isClosed }) => isClosed).length === 5 && world.at.forwarding.tunnels === 40);
    expect(upgrades.slice(0, 5).every(({ isClosed }) => isClosed)).toBe(true);
    // When it closes them: when a connection is gone says more about what else this process has to do.
    const slices: { count: number; atMs: number }[] = [];
    const close = world.at.forwarding.closeTunnels.bind(world.at.forwarding);
    vi.spyOn(world.at.forwarding, 'closeTunnels').mockImplementation((count) => {
      slices.push({ count, atMs: performance.now() });
      return close(count);
    });
    await world.at.forwarding.drainTunnels({ delayMs: 50, spreadMs: 1_000 }, new AbortController().signal);
    await nothingLeft(world);
    // By twenty, a tenth of a second apart, until none is left; then whatever came meanwhile.
    const [first, second] = slices;
    expect(slices.slice(0, -1).every(({ count }) => count === 20)).toBe(true);
    expect(slices.length).toBeGreaterThanOrEqual(3);
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(80);
  });

  it('are cut at once when the time for that is over', async () => {
    const world = await start();
    const upgrades = await Promise.all(Array.from({ length: 30 }, () => rawUpgrade(world.url)));
    await Promise.all(upgrades.map(agreed));
    await world.at.forwarding.drainTunnels({ delayMs: 60_000, spreadMs: 60_000 }, AbortSignal.timeout(50));
    await nothingLeft(world);
  });
});
