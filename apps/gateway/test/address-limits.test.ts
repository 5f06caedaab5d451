import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, startWorld, type TestWorld } from './_gateway.ts';
import { ask, engineUrl, openSession } from './_polling.ts';
import { rawUpgrade } from './_raw-upgrade.ts';

let world: TestWorld;
beforeAll(async () => { world = await startWorld(); });
afterAll(() => world[Symbol.asyncDispose]());

it('one client address begins so many sessions per second, over both transports; another address goes on', async () => {
  await using gateway = await startGateway(world, { HANDSHAKES_PER_ADDRESS_PER_SECOND: '1', TRUSTED_PROXIES: '127.0.0.1' });
  const from = (address: string): { headers: Record<string, string> } => ({ headers: { 'x-forwarded-for': address, origin: 'https://game.example.com' } });
  const startedAtMs = performance.now();
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(engineUrl(gateway.url), from('198.51.100.1'))));
  const savedUpMeanwhile = Math.ceil((performance.now() - startedAtMs) / 1_000);
  const begun = answers.filter(({ status }) => status === 200).length;
  expect(begun).toBeGreaterThanOrEqual(5);
  expect(begun).toBeLessThanOrEqual(5 + savedUpMeanwhile);
  const refused = answers.find(({ status }) => status !== 200)!;
  expect([refused.status, (JSON.parse(refused.text) as { code: string }).code]).toEqual([503, 'server/busy']);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(refused.headers['access-control-allow-origin']).toBe('https://game.example.com');
  expect((await ask(engineUrl(gateway.url), from('198.51.100.2'))).status).toBe(200);
});

it('an address that nobody vouches for cannot be chosen, and a WebSocket counts as well', async () => {
  await using gateway = await startGateway(world, { HANDSHAKES_PER_ADDRESS_PER_SECOND: '1', TRUSTED_PROXIES: '192.0.2.1' });
  await Promise.all(Array.from({ length: 20 }, (_, count) => ask(engineUrl(gateway.url), { headers: { 'x-forwarded-for': `198.51.100.${count}` } })));
  // What one second gives back is taken by the first that passes.
  await eventually(async () => {
    const upgrade = await rawUpgrade(engineUrl(gateway.url, undefined, 'websocket'));
    await eventually(() => upgrade.text !== '');
    upgrade.socket.destroy();
    expect(upgrade.text).toMatch(/^HTTP\/1\.1 503 [\s\S]*Retry-After: \d[\s\S]*"server\/busy"/);
  });
  await eventually(() => expect(openSession(gateway.url)).rejects.toThrow('503'));
});
