import type { Database } from '@skirmish/database';
import type { UserId } from '@skirmish/protocol';
import { createRedis } from '@skirmish/redis';
import { eventually, services, startTcpProxy, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, clientOf, join, refusalOf, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { noLadder, openDatabase, type Sanctioned, scoreOf, sendChat, smallLadder, strike } from './_limits.ts';

let world: TestWorld;
let database: Database;
let realm: string;
let gateways: readonly [TestGateway, TestGateway];
beforeAll(async () => {
  world = await startWorld();
  database = openDatabase(world);
  realm = uniqueRealm();
  const start = () => startGateway(world, { REALMS: realm, ...smallLadder });
  gateways = [await start(), await start()];
});
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]()));
  await database.close();
  await world[Symbol.asyncDispose]();
});

const told = (client: Client): readonly string[] => client.payloads<Sanctioned>('moderation:sanctioned').map(({ kind }) => kind);
const hearsOf = (client: Client, kind: string): Promise<Sanctioned> => client.hears<Sanctioned>('moderation:sanctioned', (sanction) => sanction.kind === kind);
const closedWith = async (client: Client): Promise<string> => (await client.hears<{ code: string }>('session:closed')).code;
const scored = (userId: string, atLeast: number): Promise<number> =>
  eventually(async () => {
    const score = (await scoreOf(database, userId)) ?? 0;
    if (score < atLeast) throw new Error(`the score is ${score}`);
    return score;
  });

describe('the ladder', () => {
  it('[LIM2] counts what is above a rate, and nothing else', async () => {
    using client = await join(gateways[0], 'p1');
    strike(client, 4);
    expect(await client.ask('chat:typing', { channel: { kind: 'guild', id: 'none' } })).toMatchObject({ error: { code: 'room/forbidden' } });
    expect(await client.ask('chat:typing', {})).toMatchObject({ error: { code: 'payload/invalid' } });
    const score = await scored('p1', 2.9);
    expect(Math.round(score)).toBe(3);
    expect(Math.round((await scoreOf(database, 'p1', 'chat')) ?? 0)).toBe(3);
  });

  it('[LIM3] warns once, by the strikes of all gateways together', async () => {
    using first = await join(gateways[0], 'p2');
    using second = await join(gateways[1], 'p2');
    strike(first, 4);
    await scored('p2', 2.9);
    expect(told(first)).toEqual([]);
    strike(second, 4);
    expect((await hearsOf(first, 'warned')).reason).toMatch(/^Too many/);
    await hearsOf(second, 'warned');
    // One of them is no strike if three seconds have passed.
    strike(first, 2);
    await scored('p2', 6.9);
    expect(told(first)).toEqual(['warned']);
  });

  it('[LIM4] mutes the feature on all gateways and tells until when; other features go on', async () => {
    using first = await join(gateways[0], 'p3');
    using second = await join(gateways[1], 'p3');
    strike(first, 12);
    const { untilMs } = await hearsOf(first, 'muted');
    expect(Math.abs((untilMs ?? 0) - Date.now() - 60_000)).toBeLessThan(8_000);
    for (const client of [first, second]) {
      const answer = await sendChat(client);
      expect(answer).toMatchObject({ ok: false, error: { code: 'chat/muted' } });
      expect((answer as { error: { retryAfterMs: number } }).error.retryAfterMs).toBeGreaterThan(50_000);
      expect(await client.ask('zone:roster', { zoneId: 'meadow' })).toMatchObject({ ok: true });
    }
    // What keeps to its rate during a mute is no strike.
    for (let n = 0; n < 5; n += 1) await sendChat(first);
    // One of them is no strike if three seconds have passed.
    strike(first, 2);
    expect(Math.round(await scored('p3', 11.5))).toBeLessThanOrEqual(13);
    expect(told(first)).toEqual(['muted']);
  });

  it('[LIM4] mutes what has no refusal of its own with rate/limited, and never the sessions', async () => {
    using client = await join(gateways[0], 'p4');
    // Ten strikes are a mute, and a slow machine gives back some of them.
    for (let strikes = 0; strikes < 10;) {
      const answers = await Promise.all(Array.from({ length: strikes === 0 ? 32 : 3 }, () => client.ask('zone:roster', { zoneId: 'meadow' })));
      strikes += answers.filter(({ ok }) => !ok).length;
    }
    await hearsOf(client, 'muted');
    expect(await client.ask('zone:roster', { zoneId: 'meadow' })).toMatchObject({ error: { code: 'rate/limited', retryAfterMs: expect.any(Number) } });
    await Promise.allSettled(Array.from({ length: 40 }, () => client.ask('session:ping', { atMs: 1 })));
    expect(await closedWith(client)).toBe('rate/disconnected');
    using again = await join(gateways[0], 'p4');
    expect(await again.ask('session:refresh', { token: await tokenFor('p4') })).toMatchObject({ ok: true });
  });

  it('[LIM4] is known to connections that come later, also when Redis has forgotten it', async () => {
    using first = await join(gateways[0], 'p5');
    strike(first, 12);
    await hearsOf(first, 'muted');
    await using third = await startGateway(world, { REALMS: realm, ...smallLadder });
    using later = await join(third, 'p5');
    expect(await later.ask('chat:typing', { channel: { kind: 'zone', id: 'meadow' } })).toMatchObject({ error: { code: 'chat/muted' } });
    const redis = createRedis({ url: services().redisUrl, name: 'ladder-test', role: 'worker' });
    await redis.unlink(`{${realm}}:mutes:p5`);
    redis.disconnect();
    await using fourth = await startGateway(world, { REALMS: realm, ...smallLadder });
    using latest = await join(fourth, 'p5');
    expect(await sendChat(latest)).toMatchObject({ ok: true });
    strike(latest, 2);
    await eventually(() => fourth.gateway.realms[0]!.gateway.mutes.leftMs('p5' as UserId, 'chat', Date.now()) > 0);
    expect(await sendChat(latest)).toMatchObject({ error: { code: 'chat/muted' } });
    expect(told(latest)).toEqual([]);
  });

  it('[LIM5] closes all connections of the user, who may come again', async () => {
    using first = await join(gateways[0], 'p6');
    using second = await join(gateways[1], 'p6');
    using other = await join(gateways[0], 'p7');
    strike(first, 24);
    expect([await closedWith(first), await closedWith(second)]).toEqual(['rate/disconnected', 'rate/disconnected']);
    await eventually(() => !first.socket.connected && !second.socket.connected);
    expect(other.socket.connected).toBe(true);
    using again = await join(gateways[1], 'p6');
    expect(again.socket.connected).toBe(true);
  });

  it('[LIM6] bans for a while, tells until when, and lets nobody in until then', async () => {
    using first = await join(gateways[0], 'p8');
    using second = await join(gateways[1], 'p8');
    strike(first, 45);
    const [{ untilMs = 0 }] = await Promise.all([hearsOf(first, 'banned'), hearsOf(second, 'banned')]);
    expect(untilMs - Date.now()).toBeGreaterThan(890_000);
    expect(untilMs - Date.now()).toBeLessThanOrEqual(990_000);
    expect([await closedWith(first), await closedWith(second)]).toEqual(['auth/banned', 'auth/banned']);
    const row = await database.db.selectFrom('sanctions').selectAll().where('user_id', '=', 'p8').executeTakeFirstOrThrow();
    expect(row).toMatchObject({ kind: 'ban', created_by: 'rate-limits', until_ms: untilMs });
    using refused = clientOf(gateways[1], { token: await tokenFor('p8') });
    expect((await refusalOf(refused)).data?.code).toBe('auth/banned');
  });

  it('[LIM2] counts a flood of frames', async () => {
    // The scores are compared, and may have been written at different times: neither may fade.
    await using gateway = await startGateway(world, { REALMS: realm, ...noLadder, STRIKES_DECAY_PER_MINUTE: '0.01' });
    using client = await join(gateway, 'p9');
    for (let n = 0; n < 450; n += 1) client.socket.emit('session:ping', { atMs: n });
    await eventually(() => gateway.logs.some((line) => line.includes('"flood"')));
    await eventually(async () => {
      const ofPings = (await scoreOf(database, 'p9', 'session')) ?? 0;
      expect(Math.round(((await scoreOf(database, 'p9')) ?? 0) - ofPings)).toBe(10);
    });
  });

  it('[LIM3] forgets with time', async () => {
    using client = await join(gateways[0], 'p10');
    strike(client, 5);
    await scored('p10', 3.9);
    const aDay = 86_400_000;
    await database.db.updateTable('strikes').set((row) => ({ at_ms: row('at_ms', '-', aDay) })).where('user_id', '=', 'p10').execute();
    strike(client, 4);
    // Without the day it would be eight.
    await eventually(async () => {
      const row = await database.db.selectFrom('strikes').select(['score', 'at_ms']).where('user_id', '=', 'p10').where('feature', '=', '').executeTakeFirstOrThrow();
      expect(row.at_ms).toBeGreaterThan(Date.now() - aDay / 2);
      expect(row.score).toBeLessThan(4.5);
    });
    expect(told(client)).toEqual([]);
    strike(client, 5);
    await hearsOf(client, 'warned');
  });

  it('outlives a gateway: what it saw is written when it stops, and counted on by another', async () => {
    const before = await startGateway(world, { REALMS: realm, ...smallLadder });
    using client = await join(before, 'p11');
    strike(client, 4);
    await client.ask('session:ping', { atMs: 1 });
    await before[Symbol.asyncDispose]();
    await eventually(async () => { expect(Math.round((await scoreOf(database, 'p11')) ?? 0)).toBe(3); });
    await using after = await startGateway(world, { REALMS: realm, ...smallLadder });
    using again = await join(after, 'p11');
    strike(again, 4);
    await hearsOf(again, 'warned');
  });
});

describe('while Postgres is away', () => {
  it('[LIM8] each gateway decides by what it saw, writes it afterwards, and bans then', async () => {
    const url = new URL(world.databaseUrl);
    await using proxy = await startTcpProxy({ targetPort: Number(url.port) });
    url.port = String(proxy.port);
    await using gateway = await startGateway({ ...world, databaseUrl: url.href }, smallLadder);
    using warned = await join(gateway, 'p12');
    using muted = await join(gateway, 'p13');
    using banned = await join(gateway, 'p14');
    proxy.blackhole();
    strike(warned, 7);
    strike(muted, 13);
    strike(banned, 45);
    await Promise.all([warned, muted].map((client, index) => hearsOf(client, index === 0 ? 'warned' : 'muted')));
    expect(await sendChat(muted)).toMatchObject({ error: { code: 'chat/muted' } });
    await eventually(async () => { expect(await closedWith(banned)).toBe('rate/disconnected'); }, { timeoutMs: 10_000 });
    expect(await scoreOf(database, 'p14')).toBeNull();
    proxy.heal();
    await eventually(async () => {
      const rows = await database.db.selectFrom('sanctions').select('kind').where('user_id', '=', 'p14').execute();
      expect(rows).toEqual([{ kind: 'ban' }]);
    }, { timeoutMs: 10_000 });
    await eventually(async () => { expect(Math.round((await scoreOf(database, 'p12')) ?? 0)).toBe(6); });
    expect([told(warned), told(muted)]).toEqual([['warned'], ['muted']]);
  }, 40_000);
});
