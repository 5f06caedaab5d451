import type { UserId } from '@skirmish/protocol';
import { eventually, startTcpProxy, type TcpProxy } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, join, refusalOf, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
let proxy: TcpProxy;
beforeAll(async () => {
  world = await startWorld();
  const url = new URL(world.databaseUrl);
  proxy = await startTcpProxy({ targetPort: Number(url.port) });
  url.port = String(proxy.port);
  gateway = await startGateway({ ...world, databaseUrl: url.href });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await proxy.close();
  await world[Symbol.asyncDispose]();
});

const channel = { kind: 'zone', id: 'meadow' };

describe('while Postgres is away', () => {
  it('the game goes on, known players come back, and new ones get in as soon as it answers, by themselves', async () => {
    using player = await join(gateway, 'p1');
    await join(gateway, 'p2').then((known) => { known[Symbol.dispose](); });
    // Somebody who was logged out is told so, although nobody can be asked.
    const old = await tokenFor('p4', { nowMs: Date.now() - 5_000 });
    await join(gateway, 'p4').then((known) => { known[Symbol.dispose](); });
    await fetch(`${gateway.url}/v1/users/p4/logout-everywhere`, { method: 'POST', headers: { authorization: `Bearer ${await tokenFor('backend', { roles: ['service'] })}` } });
    proxy.blackhole();
    using loggedOut = clientOf(gateway, { token: old });
    expect((await refusalOf(loggedOut)).data?.code).toBe('auth/revoked');
    expect(await player.ask('character:move', { seq: 1, x: 402, y: 400 })).toMatchObject({ ok: true });
    expect(await player.ask('chat:send', { commandId: 'a', channel, text: 'hello' })).toMatchObject({ ok: true });
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    // No connection ends with its token because nobody can be asked.
    await gateway.gateway.realms[0]!.changes.mark(['p1' as UserId], { binding: true });
    expect(await player.ask('session:refresh', { token: await tokenFor('p1') })).toMatchObject({ ok: true });

    // A logout that died before it closed this connection is known to Redis: its old token prolongs nothing.
    const before = await tokenFor('p1', { nowMs: Date.now() - 5_000 });
    await gateway.gateway.realms[0]!.changes.revoke('p1' as UserId, Date.now() - 1_000, 60_000);
    expect(await player.ask('session:refresh', { token: before })).toMatchObject({ ok: false, error: { code: 'auth/revoked' } });
    expect(await player.ask('session:refresh', { token: await tokenFor('p1') })).toMatchObject({ ok: true });

    // Something has changed, so the database is asked, in vain.
    await gateway.gateway.realms[0]!.changes.mark(['p2' as UserId]);
    using known = clientOf(gateway, { token: await tokenFor('p2') });
    await eventually(() => known.payloads('session:welcome').length === 1, { timeoutMs: 10_000 });
    expect(gateway.logs.some((line) => line.includes('could not be read again'))).toBe(true);

    const options = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 };
    using stranger = clientOf(gateway, { token: await tokenFor('p3') }, options);
    const refusals: unknown[] = [];
    let opened = 0;
    stranger.socket.on('connect_error', (error) => refusals.push(error));
    stranger.socket.io.on('open', () => { opened += 1; });
    await eventually(() => opened >= 2, { timeoutMs: 15_000 });
    proxy.heal();
    await eventually(() => stranger.payloads('session:welcome').length === 1, { timeoutMs: 10_000 });
    expect(refusals.filter((error) => (error as { data?: unknown }).data !== undefined)).toEqual([]);
  }, 60_000);
});
