import { keysOf } from '@skirmish/redis';
import { eventually, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { ask, engineUrl, joinByPolling, openSession } from './_polling.ts';

let world: TestWorld;
let owner: TestGateway;
let other: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  const env = { REALMS: uniqueRealm() };
  owner = await startGateway(world, env);
  other = await startGateway(world, env);
});
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

describe('a session whose requests reach another gateway', () => {
  it('has the incarnation of its owner in front of its id, and 144 bits behind', async () => {
    const sid = await openSession(owner.url);
    expect(sid).toMatch(new RegExp(`^${owner.gateway.incarnation}\\.[A-Za-z0-9_-]{24}$`));
    expect(await openSession(owner.url)).not.toBe(sid);
  });

  it('is served there as by its owner', async () => {
    const sid = await joinByPolling(owner, await tokenFor('p1'));
    const posted = await ask(engineUrl(other.url, sid), { method: 'POST', body: `42/realm/${owner.realm},7["session:ping",{"atMs":1}]` });
    expect([posted.status, posted.text]).toEqual([200, 'ok']);
    const polled = await ask(engineUrl(other.url, sid));
    expect(polled.status).toBe(200);
    expect(polled.text).toContain(`43/realm/${owner.realm},7[{"ok":true`);
  });

  it('is upgraded there: a tunnel to its owner, for as long as the WebSocket lives', async () => {
    const sid = await joinByPolling(owner, await tokenFor('p2'));
    const socket = new WebSocket(engineUrl(other.url, sid, 'websocket').replace('http', 'ws'));
    const heard: string[] = [];
    socket.addEventListener('message', ({ data }) => { heard.push(String(data)); });
    socket.addEventListener('open', () => { socket.send('2probe'); });
    await eventually(() => heard.includes('3probe'));
    socket.send('5');
    socket.send(`42/realm/${owner.realm},9["session:ping",{"atMs":1}]`);
    await eventually(() => heard.some((frame) => frame.startsWith(`43/realm/${owner.realm},9[{"ok":true`)));
    expect(await tunnelled(other)).toBe(1);
    expect(await tunnelled(owner)).toBe(0);
    socket.close();
    await eventually(async () => (await tunnelled(other)) === 0);
  });

  it('goes on while the owner drains, until it is closed by its owner', async () => {
    await using draining = await startGateway(world, { REALMS: owner.realm });
    const sid = await joinByPolling(draining, await tokenFor('p3'));
    draining.gateway.drain('test');
    const posted = await ask(engineUrl(other.url, sid), { method: 'POST', body: `42/realm/${owner.realm},7["session:ping",{"atMs":1}]` });
    expect(posted.text).toBe('ok');
    expect((await ask(engineUrl(other.url, sid))).text).toContain(`43/realm/${owner.realm},7[{"ok":true`);
    expect((await ask(engineUrl(draining.url))).status).toBe(503);
  });

  it('of a gateway that has just begun is known everywhere at once, however long the next renewal is away', async () => {
    const env = { REALMS: uniqueRealm(), RENEW_INTERVAL_MS: '60000' };
    await using first = await startGateway(world, env);
    await using second = await startGateway(world, env);
    for (const [from, to] of [[second, first], [first, second]] as const) {
      const sid = await openSession(from.url);
      expect((await ask(engineUrl(to.url, sid), { method: 'POST', body: '6' })).text).toBe('ok');
    }
  });

  it.each(['127.0.0.1:99999', '127.0.0.1', ''])('is unknown when its owner says that it is at "%s"', async (address) => {
    const { redis } = owner.gateway.realms[0]!.transport;
    const { gateways } = keysOf(owner.realm as never);
    const record = JSON.parse((await redis.hget(gateways, owner.gateway.incarnation)) ?? '{}') as object;
    await redis.hset(gateways, 'oddlyPlaced1', JSON.stringify({ ...record, address }));
    await eventually(() => other.gateway.realms[0]!.transport.addressOf('oddlyPlaced1') === address);
    const { status, text } = await ask(engineUrl(other.url, `oddlyPlaced1.${'x'.repeat(24)}`));
    expect([status, text]).toEqual([400, '{"code":1,"message":"Session ID unknown"}']);
    await redis.hdel(gateways, 'oddlyPlaced1');
  });

  it('is unknown once its owner has left', async () => {
    const leaving = await startGateway(world, { REALMS: owner.realm });
    const sid = await openSession(leaving.url);
    await leaving[Symbol.asyncDispose]();
    await eventually(async () => {
      const { status, text, headers } = await ask(engineUrl(other.url, sid), { headers: { origin: 'https://game.example.com' } });
      expect([status, text, headers['access-control-allow-origin']]).toEqual([400, '{"code":1,"message":"Session ID unknown"}', 'https://game.example.com']);
    });
  });
});

async function tunnelled(gateway: TestGateway): Promise<number> {
  const { text } = await ask(`${gateway.internalUrl}/metrics`);
  return Number(/^skirmish_tunnelled_websockets\S* (\S+)$/m.exec(text)?.[1]);
}
