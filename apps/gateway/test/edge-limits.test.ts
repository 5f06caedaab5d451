import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, connected, join, startGateway, startWorld, type TestWorld, tokenFor } from './_gateway.ts';
import { openRaw } from './_raw-websocket.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const handshake = (url: string, headers: Record<string, string> = {}): Promise<Response> => fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers });
const sidOf = async (response: Response): Promise<string> => (JSON.parse((await response.text()).slice(1)) as { sid: string }).sid;
const post = (url: string, sid: string, body: string): Promise<Response> => fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body });

describe('each limit of the configuration has its effect', () => {
  it('PAYLOAD_BYTES_MAX: one byte more closes a WebSocket with 1009 and answers a POST with 413', async () => {
    await using gateway = await startGateway(world, { PAYLOAD_BYTES_MAX: '5000' });
    using fits = await openRaw(gateway.url);
    fits.send(`40/nowhere,{"a":"${'x'.repeat(4_980)}"}`);
    await fits.hears('Invalid namespace');
    using over = await openRaw(gateway.url);
    over.send('4'.repeat(5_001));
    await over.hears('close 1009');
    await eventually(() => over.isClosed());
    const sid = await sidOf(await handshake(gateway.url));
    expect((await post(gateway.url, sid, '6'.repeat(5_000))).status).toBe(200);
    const other = await sidOf(await handshake(gateway.url));
    expect((await post(gateway.url, other, '6'.repeat(5_001))).status).toBe(413);
  });

  it('PING_INTERVAL_MS and PING_TIMEOUT_MS: who answers stays, who is silent goes', async () => {
    await using gateway = await startGateway(world, { PING_INTERVAL_MS: '500', PING_TIMEOUT_MS: '3000', CONNECT_TIMEOUT_MS: '60000' });
    using answering = await join(gateway, 'p1');
    const startedAtMs = performance.now();
    using silent = await openRaw(gateway.url);
    await silent.hears('"pingInterval":500,"pingTimeout":3000');
    await silent.hears('close');
    expect(performance.now() - startedAtMs).toBeGreaterThan(3_400);
    expect(silent.frames).toContain('2');
    // It was there before the silent one, so by now it would have gone for want of an answer.
    expect(answering.socket.connected).toBe(true);
  });

  it('CONNECT_TIMEOUT_MS: a transport that joins no realm is closed, one that joined stays', async () => {
    await using gateway = await startGateway(world, { CONNECT_TIMEOUT_MS: '500' });
    // The first connect, with cold pools, may take longer than this time.
    using joined = await join(gateway, 'p2', { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
    const { id } = joined.socket;
    const startedAtMs = performance.now();
    using idle = await openRaw(gateway.url);
    await idle.hears('close');
    expect(performance.now() - startedAtMs).toBeGreaterThan(400);
    expect([joined.socket.connected, joined.socket.id]).toEqual([true, id]);
  });

  it('a client that ignores the end of its connection is cut 3 s later', async () => {
    await using gateway = await startGateway(world, { CONNECT_TIMEOUT_MS: '500' });
    const startedAtMs = performance.now();
    using deaf = await openRaw(gateway.url);
    await deaf.hears('close');
    await eventually(() => deaf.isClosed());
    expect(performance.now() - startedAtMs).toBeGreaterThan(3_000);
  });

  it('SOCKETS_PER_ADDRESS_MAX: counts open connections of both transports, and frees their places', async () => {
    await using gateway = await startGateway(world, { SOCKETS_PER_ADDRESS_MAX: '3' });
    using first = await join(gateway, 'p3');
    using second = await openRaw(gateway.url);
    expect((await handshake(gateway.url)).status).toBe(200);
    const refused = await handshake(gateway.url);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ code: 'rate/limited', retry: 'later', retryAfterMs: expect.any(Number) });
    await expect(openRaw(gateway.url)).rejects.toThrow('429');
    second.socket.destroy();
    using next = clientOf(gateway, { token: await tokenFor('p4') }, { reconnection: true, reconnectionDelay: 50 });
    await eventually(() => next.socket.connected);
    expect(first.socket.connected).toBe(true);
  });

  it('TRUSTED_PROXIES: behind one, the address that it saw counts; else what a client writes counts for nothing', async () => {
    const statuses = async (env: Record<string, string>): Promise<number[]> => {
      await using gateway = await startGateway(world, { SOCKETS_PER_ADDRESS_MAX: '1', ...env });
      const from = ['198.51.100.1', '198.51.100.2', '203.0.113.9, 198.51.100.1', '198.51.100.3'];
      const answers: number[] = [];
      for (const address of from) answers.push((await handshake(gateway.url, { 'x-forwarded-for': address })).status);
      return answers;
    };
    expect(await statuses({ TRUSTED_PROXIES: '127.0.0.0/8' })).toEqual([200, 200, 429, 200]);
    expect(await statuses({ TRUSTED_PROXIES: '10.0.0.1' })).toEqual([200, 429, 429, 429]);
  });

  it('HANDSHAKES_PER_SECOND_MAX: more are asked to come back at different times, over both transports, and do', async () => {
    await using gateway = await startGateway(world, { HANDSHAKES_PER_SECOND_MAX: '5' });
    const startedAtMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 60 }, () => handshake(gateway.url)));
    const savedUpMeanwhile = Math.ceil((5 * (performance.now() - startedAtMs)) / 1_000);
    const refused = answers.filter(({ status }) => status === 503);
    const begun = answers.filter(({ status }) => status === 200).length;
    expect(begun).toBeGreaterThanOrEqual(10);
    expect(begun).toBeLessThanOrEqual(10 + savedUpMeanwhile);
    expect(refused.length).toBe(60 - begun);
    const hints = (await Promise.all(refused.map((response) => response.json()))) as { code: string; retryAfterMs: number }[];
    expect(hints.every(({ code, retryAfterMs }) => code === 'server/busy' && retryAfterMs >= 1_000 && retryAfterMs <= 3_000)).toBe(true);
    expect(new Set(hints.map(({ retryAfterMs }) => retryAfterMs)).size).toBeGreaterThan(10);
    // Five a second are given back, and who comes in such a moment is let in.
    const spend = (): Promise<unknown> => Promise.all(Array.from({ length: 10 }, () => handshake(gateway.url)));
    await eventually(async () => {
      await spend();
      const raw = openRaw(gateway.url);
      await raw.then((socket) => { socket[Symbol.dispose](); }, () => undefined);
      await expect(raw).rejects.toThrow('503');
    });
    await eventually(async () => {
      await spend();
      using client = clientOf(gateway, { token: await tokenFor('p5') }, { reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 500 });
      const came = new Promise((resolve) => { client.socket.once('connect', () => { resolve(true); }); });
      await expect(connected(client)).rejects.toThrow();
      await came;
    });
  });
});
