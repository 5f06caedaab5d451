import { connect } from 'node:net';
import { eventually, startRedis } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, connected, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';

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

const listed = 'https://game.example.com';
const evil = 'https://evil.example.com';
const path = '/socket.io/?EIO=4&transport=';

/** The answer to a handshake, as the bytes say it. */
const upgrade = (url: string, headers: Record<string, string> = {}): Promise<{ status: number; head: string; body: string }> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    const finish = (): void => {
      const [head = '', body = ''] = text.split('\r\n\r\n', 2);
      resolve({ status: Number(head.split(' ')[1]), head, body });
      socket.destroy();
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.startsWith('HTTP/1.1 101')) finish();
    });
    socket.on('end', finish).on('error', reject);
    const lines = { Host: 'game', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers };
    socket.write(`GET ${path}websocket HTTP/1.1\r\n${Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  });

const poll = (url: string, headers: Record<string, string> = {}): Promise<Response> => fetch(`${url}${path}polling`, { headers });

describe('the Origin of a handshake', () => {
  it('that is not listed gets 403, over polling', async () => {
    const response = await poll(gateway.url, { origin: evil });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'auth/origin', retry: 'never' });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('that is not listed gets 403, over WebSocket', async () => {
    const { status, body } = await upgrade(gateway.url, { Origin: evil });
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ code: 'auth/origin', retry: 'never' });
  });

  it('that is not listed leaves no connection behind, though its client keeps its side open', async () => {
    const socket = connect({ port: Number(new URL(gateway.url).port), host: '127.0.0.1', allowHalfOpen: true });
    const lost = new Promise<string>((resolve) => { socket.on('error', ({ code }: NodeJS.ErrnoException) => { resolve(code ?? ''); }); });
    const ended = new Promise<void>((resolve) => { socket.on('end', resolve); });
    socket.resume();
    socket.write(`GET ${path}websocket HTTP/1.1\r\nHost: game\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: ${evil}\r\n\r\n`);
    await ended;
    // Who still listens takes what is written; who is gone resets it.
    await eventually(() => !socket.writable || !socket.write('x') || socket.destroyed);
    expect(await lost).toMatch(/^(EPIPE|ECONNRESET)$/);
  });

  it.each([`${listed}.evil.example.com`, 'null', 'http://game.example.com', `${listed}:444`, 'https://GAME.example.com'])('%s is not taken for a listed one', async (origin) => {
    expect((await poll(gateway.url, { origin })).status).toBe(403);
    expect((await upgrade(gateway.url, { Origin: origin })).status).toBe(403);
  });

  it('that is listed, or absent, is allowed over both', async () => {
    for (const headers of [{ Origin: listed }, {}] as Record<string, string>[]) {
      expect((await poll(gateway.url, headers)).status).toBe(200);
      expect((await upgrade(gateway.url, headers)).status).toBe(101);
    }
  });

  it('that is listed gets exact CORS headers, also before the request itself', async () => {
    const response = await poll(gateway.url, { origin: listed });
    expect(response.headers.get('access-control-allow-origin')).toBe(listed);
    const preflight = await fetch(`${gateway.url}${path}polling`, { method: 'OPTIONS', headers: { origin: listed, 'access-control-request-method': 'POST' } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(listed);
  });
});

describe('a handshake', () => {
  it('serves no client files and no other transport', async () => {
    expect((await fetch(`${gateway.url}/socket.io/socket.io.js`)).status).toBe(400);
    expect((await fetch(`${gateway.url}${path}webtransport`)).status).toBe(400);
    expect((await fetch(`${gateway.url}/socket.io/?EIO=3&transport=polling`)).status).toBe(400);
  });

  it('offers the heartbeat and size limits of the configuration, and no compression', async () => {
    const text = await (await poll(gateway.url)).text();
    expect(JSON.parse(text.slice(1))).toMatchObject({ pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 65_536, upgrades: ['websocket'] });
    const { head } = await upgrade(gateway.url, { 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    expect(head.toLowerCase()).not.toContain('permessage-deflate');
  });

  it('is answered 503 with a hint while the gateway drains, over both transports', async () => {
    await using draining = await startGateway(world, { DRAIN_TIMEOUT_MS: '0' });
    draining.gateway.drain('test');
    const polled = await poll(draining.url, { origin: listed });
    expect(polled.status).toBe(503);
    expect(polled.headers.get('retry-after')).toBe('1');
    expect(polled.headers.get('access-control-allow-origin')).toBe(listed);
    expect(await polled.json()).toMatchObject({ code: 'server/draining', retry: 'later', retryAfterMs: 500 });
    const upgraded = await upgrade(draining.url);
    expect(upgraded.status).toBe(503);
    expect(upgraded.head).toMatch(/^Retry-After: 1$/m);
    expect(JSON.parse(upgraded.body)).toMatchObject({ code: 'server/draining', retry: 'later', retryAfterMs: 500 });
  });

  it('is answered 503 while Redis is away, and clients come back by themselves', async () => {
    await using redis = await startRedis({ appendOnly: false });
    await using alone = await startGateway(world, { REDIS_URL: redis.url });
    await redis.kill();
    await eventually(async () => { expect((await poll(alone.url)).status).toBe(503); });
    expect(await (await poll(alone.url)).json()).toMatchObject({ code: 'server/unavailable', retry: 'later' });
    using client = clientOf(alone, { token: await tokenFor('p1') }, { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 300 });
    await expect(connected(client)).rejects.toThrow();
    await redis.restart({ empty: true });
    await eventually(() => client.payloads('session:welcome').length === 1, { timeoutMs: 15_000 });
  });
});
