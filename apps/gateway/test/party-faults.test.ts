import type { Acknowledgement, Party } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services, startRedis, startTcpProxy, type TcpProxy } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, clientOf, join, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';

let world: TestWorld;
let redis: Redis;
beforeAll(async () => {
  world = await startWorld();
  redis = createRedis({ url: services().redisUrl, name: 'party-faults', role: 'command' });
  await whenReady(redis);
});
afterAll(async () => {
  redis.disconnect();
  await world[Symbol.asyncDispose]();
});

interface Pair extends AsyncDisposable {
  /** Its way to Redis can be cut. */
  readonly near: TestGateway;
  readonly far: TestGateway;
  readonly proxy: TcpProxy;
}

async function startPair(): Promise<Pair> {
  const proxy = await startTcpProxy({ targetPort: Number(new URL(services().redisUrl).port) });
  // It takes them some time to see that one is dead: who was there is to be back before.
  const env = { RATE_LIMIT_SCALE: '1000', RENEW_INTERVAL_MS: '2000' };
  const near = await startGateway(world, { REDIS_URL: `redis://127.0.0.1:${proxy.port}`, ...env });
  const far = await startGateway(world, { REALMS: near.realm, ...env });
  const stop = async (): Promise<void> => {
    await near[Symbol.asyncDispose]();
    await far[Symbol.asyncDispose]();
    await proxy.close();
  };
  return { near, far, proxy, [Symbol.asyncDispose]: stop };
}

type Answer = Acknowledgement<{ party: Party }>;
const partyIn = (answer: Answer): Party => {
  if (!answer.ok) throw new Error(answer.error.code);
  return answer.data.party;
};
/** The same command until it is answered otherwise than with "later". */
const untilDone = (client: Client, event: string, payload: object): Promise<Party> => eventually(async () => partyIn(await client.ask(event, payload)), { timeoutMs: 10_000, intervalMs: 50, what: `${event} to be done` });
const outcomes = ({ logs }: TestGateway, outcome: string): number => logs.filter((line) => line.includes('a command of a party was decided') && line.includes(`"outcome":"${outcome}"`)).length;

describe('a command whose answer is lost', () => {
  it('[CMD2] between the script and its reply has one effect and the same answer, 30 times', async () => {
    await using pair = await startPair();
    using leader = await join(pair.near, 'p1');
    using member = await join(pair.far, 'p2');
    const party = partyIn(await leader.ask('party:create', { commandId: 'found' }));
    const keys = keysOf(pair.near.realm as never);
    let told = 0;
    for (let round = 0; round < 30; round += 1) {
      const [event, payload] = round % 2 === 0 ? ['party:invite', { userId: 'p2' }] as const : ['party:promote', { userId: 'p1' }] as const;
      const command = { commandId: `c${round}`, ...payload };
      const before = member.payloads('party:invited').length;
      pair.proxy.withhold();
      const answer = leader.ask<{ party: Party }>(event, command).catch(() => null);
      await eventually(() => redis.exists(keys.command('p1' as never, event, command.commandId)), { intervalMs: 0 });
      pair.proxy.reset();
      pair.proxy.heal();
      const first = await answer;
      const repeated = await untilDone(leader, event, command);
      if (first?.ok) expect(repeated).toEqual(first.data.party);
      if (round % 2 === 0) {
        told += 1;
        await eventually(() => expect(member.payloads('party:invited')).toHaveLength(before + 1), { timeoutMs: 10_000 });
      }
    }
    expect(member.payloads('party:invited')).toHaveLength(told);
    expect(outcomes(pair.near, 'repeated')).toBeGreaterThanOrEqual(60);
    expect(partyIn(await leader.ask('party:create', { commandId: 'found' }))).toEqual(party);
  }, 60_000);

  it('[CMD2] with its gateway is given again by another one, and what it changed was told', async () => {
    for (let round = 0; round < 3; round += 1) {
      await using pair = await startPair();
      const keys = keysOf(pair.near.realm as never);
      using leader = await join(pair.far, 'p1');
      const guest = await join(pair.near, 'p2');
      const { id } = partyIn(await leader.ask('party:create', { commandId: 'found' }));
      await leader.ask('party:invite', { commandId: 'invite', userId: 'p2' });
      pair.proxy.withhold();
      void guest.ask('party:accept', { commandId: 'join', partyId: id }).catch(() => null);
      await eventually(() => redis.exists(keys.command('p2' as never, 'party:accept', 'join')), { intervalMs: 0 });
      // To all others the gateway was killed here.
      await pair.proxy.close();
      guest[Symbol.dispose]();
      using again = await join(pair.far, 'p2');
      const { party } = again.payloads<{ party: Party | null }>('session:welcome').at(-1)!;
      expect(party?.members.map(({ userId }) => userId)).toEqual(['p1', 'p2']);
      const repeated = partyIn(await again.ask('party:accept', { commandId: 'join', partyId: id }));
      expect(repeated.members.map(({ userId }) => userId)).toEqual(['p1', 'p2']);
      await eventually(() => leader.payloads('party:updated').length === 2);
      await leader.ask('party:promote', { commandId: 'promote', userId: 'p2' });
      await again.hears<{ party: Party }>('party:updated', (update) => update.party.leaderId === 'p2');
      expect(leader.payloads<{ party: Party }>('party:updated').map((update) => update.party.members.length)).toEqual([1, 2, 2]);
    }
  }, 60_000);
});

describe('Redis', () => {
  it('away: commands are refused with a hint and succeed afterwards; back empty: a repeated founding has the same id', async () => {
    await using server = await startRedis({ appendOnly: true });
    await using gateway = await startGateway(world, { REDIS_URL: server.url, RATE_LIMIT_SCALE: '1000' });
    using first = await join(gateway, 'p1');
    const founded = partyIn(await first.ask('party:create', { commandId: 'found' }));
    await server.kill();
    expect(await first.ask('party:leave', { commandId: 'go' })).toMatchObject({ ok: false, error: { code: 'server/unavailable', retryAfterMs: expect.any(Number) } });
    await server.restart();
    await eventually(async () => expect(await first.ask('party:leave', { commandId: 'go' })).toMatchObject({ ok: true }), { timeoutMs: 15_000, intervalMs: 100 });
    const checker = createRedis({ url: server.url, name: 'checker', role: 'command' });
    await whenReady(checker);
    await checker.flushall();
    checker.disconnect();
    using again = clientOf(gateway, { token: await tokenFor('p1') }, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    expect(await eventually(async () => partyIn(await again.ask('party:create', { commandId: 'found' })), { timeoutMs: 30_000, intervalMs: 200 })).toEqual(founded);
  }, 60_000);
});
