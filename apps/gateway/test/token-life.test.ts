import { signToken } from '@skirmish/auth';
import type { UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, clientOf, connected, secret, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world, { TOKEN_WARN_MS: '4000', TOKEN_GRACE_MS: '500' });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const tokenOf = async (userId: string, ttlSeconds: number): Promise<{ token: string; expiresAtMs: number }> => signToken({ secret, userId, ttlSeconds });

/** When each event came, in milliseconds after the end of the token. */
function watch(client: Client, expiresAtMs: number): { event: string; afterMs: number }[] {
  const seen: { event: string; afterMs: number }[] = [];
  client.socket.onAny((event: string) => void seen.push({ event, afterMs: Date.now() - expiresAtMs }));
  return seen;
}

/** Long enough to connect and to be warned on a machine that stands still for a second; the lives pass side by side. */
const ttlSeconds = 5;

describe.concurrent('the life of a token', { timeout: 40_000 }, () => {
  it('[SES4] a client is told before its token ends, and closed at the end and the grace; the transport closes, so it may come again', async () => {
    const { token, expiresAtMs } = await tokenOf('p1', ttlSeconds);
    using client = clientOf(gateway, { token });
    const seen = watch(client, expiresAtMs);
    const reasons: string[] = [];
    client.socket.on('disconnect', (reason) => void reasons.push(reason));
    await connected(client);
    await eventually(() => reasons.length > 0, { timeoutMs: 20_000 });
    const life = seen.filter(({ event }) => event === 'session:expiring' || event === 'session:closed');
    expect(life.map(({ event }) => event)).toEqual(['session:expiring', 'session:closed']);
    expect(life[0]?.afterMs).toBeLessThan(0);
    expect(life[1]?.afterMs).toBeGreaterThanOrEqual(500);
    expect(client.payloads('session:expiring')).toEqual([{ expiresAtMs }]);
    expect(client.payloads('session:closed')).toMatchObject([{ code: 'auth/expired' }]);
    expect(reasons).toEqual(['transport close']);
  });

  it('[SES3] a refresh prolongs the connection, and warns again before the new end', async () => {
    const { token } = await tokenOf('p2', ttlSeconds);
    using client = clientOf(gateway, { token });
    await connected(client);
    await client.hears('session:expiring');
    const fresh = await tokenOf('p2', 8);
    expect(await client.ask('session:refresh', { token: fresh.token })).toEqual({ ok: true, data: { tokenExpiresAtMs: fresh.expiresAtMs } });
    await eventually(() => client.payloads('session:expiring').length === 2, { timeoutMs: 20_000 });
    expect(client.payloads('session:expiring')[1]).toEqual({ expiresAtMs: fresh.expiresAtMs });
    expect(client.payloads('session:closed')).toEqual([]);
  });

  it('a client whose auth function brings a fresh token comes back and continues its session', async () => {
    const first = await tokenOf('p3', ttlSeconds);
    using client = clientOf(gateway, { token: first.token }, { reconnection: true });
    await connected(client);
    client.socket.auth = { token: (await tokenOf('p3', 600)).token };
    await eventually(() => client.payloads('session:welcome').length === 2, { timeoutMs: 20_000 });
    expect(client.socket.recovered).toBe(true);
    expect(client.payloads('session:reload')).toEqual([]);
  });

  it('one that brings the old token is told so, once and for all', async () => {
    const { token } = await tokenOf('p4', ttlSeconds);
    using client = clientOf(gateway, { token }, { reconnection: true });
    const errors: string[] = [];
    client.socket.on('connect_error', (error: Error & { data?: { code: string } }) => void errors.push(error.data?.code ?? error.message));
    await connected(client);
    await eventually(() => errors.length > 0, { timeoutMs: 20_000 });
    expect(errors).toEqual(['auth/expired']);
    expect(client.socket.active).toBe(false);
  });
});

describe('a connection that ends while its refresh is under way', () => {
  it('is not followed any more, however long its new token would last', async () => {
    const { gateway: context, sessions, calls } = gateway.gateway.realms[0]!;
    const { players, tokens } = context;
    using client = clientOf(gateway, { token: (await tokenOf('p5', 600)).token });
    await connected(client);
    const isGone = (): boolean => sessions.of('p5' as UserId).length === 0;
    const get = players.get.bind(players);
    let isAsked = false;
    players.get = async (query, mark) => {
      isAsked ||= query.userId === 'p5';
      if (query.userId === 'p5') await eventually(isGone);
      return get(query, mark);
    };
    try {
      client.socket.emit('session:refresh', { token: (await tokenOf('p5', 86_400)).token });
      await eventually(() => isAsked);
      client.socket.disconnect();
      await eventually(() => isGone() && calls.count === 0);
    } finally {
      players.get = get;
    }
    await eventually(() => tokens.size === 0);
  });
});
