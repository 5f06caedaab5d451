import type { GuildId, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { eventually, type RedisServer, startProcess, startRedis } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join, secret, type TestGateway } from './_gateway.ts';
import { untilInTime, within } from './_in-time.ts';
import { announcementsOf, changesHeard, enter, membersHeard, startWatchBench, watch, type WatchBench } from './_watch-bench.ts';

const graceMs = 1_000;
let server: RedisServer;
let bench: WatchBench;
beforeAll(async () => {
  // Of its own, since its subscribers are cut off.
  server = await startRedis({ appendOnly: false });
  bench = await startWatchBench(graceMs, { redisUrl: server.url });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await server.stop();
});

const leave = (...clients: (Client | undefined)[]): void => { for (const client of clients) client?.[Symbol.dispose](); };

const goneFromRedis = (userId: string): Promise<void> => eventually(async () => { expect(await bench.redis.exists(bench.keys.user(userId as UserId))).toBe(0); }, { timeoutMs: 10_000 });

/** Until a client has heard this of a member; what happened before it has been told too, or never will be. */
const hearsMember = (client: Client, what: string): Promise<void> => eventually(() => { expect(membersHeard(client)).toContain(what); }, { timeoutMs: 15_000, what: `${what} to be heard` });

describe('a change of presence', () => {
  it('[PRS3] [GLD1] is told once to each watcher and member, on three gateways, however many sockets the user has', async () => {
    const watchers = await enter(bench, 'p1', 'p3', 'p5');
    await bench.announced('p1', 'p3', 'p5');
    for (const client of watchers) expect(await watch(client, 'p7')).toEqual({ p7: 'offline' });
    const [first, second, third] = await Promise.all(bench.gateways.map((gateway) => join(gateway, 'p7')));
    for (const client of watchers) await hearsMember(client, '+p7');
    leave(first, second);
    // Whoever heard this heard everything about p7 that came before it.
    const [mark] = await enter(bench, 'p9');
    for (const client of watchers) await hearsMember(client, '+p9');
    for (const client of watchers) expect(changesHeard(client)).toEqual(['p7 online']);
    expect(membersHeard(third!)).not.toContain('+p7');
    leave(third);
    for (const client of watchers) await hearsMember(client, '-p7');
    leave(mark);
    for (const client of watchers) await hearsMember(client, '-p9');
    for (const client of watchers) {
      expect(changesHeard(client)).toEqual(['p7 online', 'p7 offline']);
      expect(membersHeard(client).filter((each) => !/p[135]$/.test(each))).toEqual(['+p7', '+p9', '-p7', '-p9']);
    }
    leave(...watchers);
    await bench.announced();
  }, 40_000);

  it('[PRS3] that is over within the grace is told to nobody, and the user counts as online meanwhile', () => untilInTime(async () => {
    using overheard = await announcementsOf(server.url, bench.keys);
    const [watcher, mate, shortlived] = await enter(bench, 'p1', 'p3', 'p5');
    await bench.announced('p1', 'p3', 'p5');
    const before = overheard.of('p3').length;
    expect(await watch(watcher!, 'p3', 'p7')).toEqual({ p3: 'online', p7: 'offline' });
    const inTime = within(graceMs);
    leave(mate);
    await goneFromRedis('p3');
    const meanwhile = await watch(watcher!, 'p3');
    const [returned, guest] = [await join(bench.gateways[2]!, 'p3'), await join(bench.gateways[0]!, 'p7')];
    leave(guest, shortlived);
    await goneFromRedis('p7');
    const wasInTime = inTime();
    await hearsMember(watcher!, '-p5');
    await bench.announced('p1', 'p3');
    if (wasInTime) {
      expect(meanwhile).toEqual({ p3: 'online' });
      expect(overheard.of('p3').slice(before).filter((status) => status === 'offline')).toEqual([]);
      expect(changesHeard(watcher!)).toEqual([]);
      expect(membersHeard(watcher!).filter((each) => /p[37]$/.test(each.slice(1)) && each !== '+p3')).toEqual([]);
    }
    leave(watcher, returned);
    await bench.announced();
    return wasInTime;
  }), 60_000);

  it('[PRS5] what was answered before a change that never came about is taken back', () => untilInTime(async () => {
    const [watcher] = await enter(bench, 'p1');
    const inTime = within(graceMs);
    const visitor = await join(bench.gateways[1]!, 'p3');
    expect(await watch(watcher!, 'p3')).toEqual({ p3: 'online' });
    leave(visitor);
    await goneFromRedis('p3');
    const wasInTime = inTime();
    if (wasInTime) {
      // Nobody was ever told that the visitor came: only this one was, by the answer.
      await eventually(() => { expect(changesHeard(watcher!)).toEqual(['p3 offline']); }, { timeoutMs: 15_000 });
      expect(membersHeard(watcher!)).not.toContain('-p3');
    }
    leave(watcher);
    await bench.announced();
    return wasInTime;
  }), 60_000);

  it('[PRS6] follows what both may know: rooms that are left and joined meanwhile', async () => {
    const [watcher, mate] = await enter(bench, 'p1', 'p12');
    await bench.announced('p1', 'p12');
    expect(await watch(watcher!, 'p12')).toEqual({ p12: 'offline' });
    const green = roomOf.guild('green' as GuildId);
    const { emitter } = bench.served(0).transport;
    const of = (userId: string) => ({ rooms: [roomOf.user(userId as UserId)] });
    await emitter.join(of('p12'), [green]);
    await bench.announced('p1', 'p12');
    expect(changesHeard(watcher!)).toEqual([]);
    await emitter.join(of('p1'), [green]);
    await eventually(() => { expect(changesHeard(watcher!)).toEqual(['p12 online']); }, { timeoutMs: 15_000 });
    await emitter.leave(of('p12'), [green]);
    await eventually(() => { expect(changesHeard(watcher!)).toEqual(['p12 online', 'p12 offline']); }, { timeoutMs: 15_000 });
    expect(membersHeard(watcher!)).toContain('-p12');
    await emitter.join(of('p12'), [green]);
    await eventually(() => { expect(changesHeard(watcher!)).toEqual(['p12 online', 'p12 offline', 'p12 online']); }, { timeoutMs: 15_000 });
    await emitter.leave(of('p1'), [green]);
    await eventually(() => { expect(changesHeard(watcher!).at(-1)).toEqual('p12 offline'); }, { timeoutMs: 15_000 });
    leave(watcher, mate);
    await bench.announced();
  }, 60_000);

  it('[PRS5] that was missed with the connection to Redis is told when it is there again', async () => {
    const [watcher, mate] = await enter(bench, 'p1', 'p3');
    await bench.announced('p1', 'p3');
    await watch(watcher!, 'p3');
    // Announced by nobody: as if the message had been lost.
    leave(mate);
    await goneFromRedis('p3');
    await bench.redis.zrem(bench.keys.presenceChanged, 'p3');
    await bench.redis.hdel(bench.keys.presenceAnnounced, 'p3');
    await bench.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(() => { expect(changesHeard(watcher!)).toEqual(['p3 offline']); }, { timeoutMs: 15_000 });
    leave(watcher);
    await bench.announced();
  }, 40_000);
});

describe('the grace', () => {
  it('[PRS3] begins anew with whoever comes or goes, and not with a further socket, a room or a status', async () => {
    await using own = await startWatchBench(600_000);
    const since = async (): Promise<number> => Number(await own.redis.zscore(own.keys.presenceChanged, 'p1'));
    const sockets = async (): Promise<number> => own.redis.hlen(own.keys.user('p1' as UserId));
    const until = (count: number): Promise<void> => eventually(async () => { expect(await sockets()).toBe(count); }, { timeoutMs: 10_000 });
    const first = await join(own.gateways[0]!, 'p1');
    const came = await since();
    expect(came).toBeGreaterThan(0);
    const second = await join(own.gateways[1]!, 'p1');
    expect(await second.ask('character:status', { commandId: 'a', status: 'away' })).toMatchObject({ ok: true });
    await own.served(2).transport.emitter.join({ rooms: [roomOf.user('p1' as UserId)] }, [roomOf.guild('green' as GuildId)]);
    leave(second);
    await until(1);
    expect(await since()).toBe(came);
    leave(first);
    await until(0);
    const went = await since();
    expect(went).toBeGreaterThan(came);
    const third = await join(own.gateways[2]!, 'p1');
    expect(await since()).toBeGreaterThan(went);
    leave(third);
  }, 40_000);
});

describe('users of a gateway that was killed', () => {
  it('[PRS4] are told offline once, and those who came back elsewhere not at all', async () => {
    await using killedRedis = await startRedis();
    // A process that stands still for a second is not taken for dead.
    await using own = await startWatchBench(graceMs, { redisUrl: killedRedis.url, renewIntervalMs: 1_000 });
    await using doomed = await startProcess({
      name: 'gateway', entry: new URL('../src/main.ts', import.meta.url),
      env: { NODE_ENV: 'development', LOG_LEVEL: 'warn', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_PORT: '0', DATABASE_URL: own.world.databaseUrl, JWT_SECRET: secret, EPOCH_GRACE_MS: '100', READ_BLOCK_MS: '200', EVENT_LOOP_DELAY_MAX_MS: '60000', ...own.env },
    });
    const there: Pick<TestGateway, 'url' | 'realm'> = { url: `http://127.0.0.1:${doomed.ready.publicPort ?? 0}`, realm: own.gateways[0]!.realm };
    const watchers = await enter(own, 'p1', 'p3', 'p5');
    const lost = await Promise.all(['p7', 'p9', 'p11'].map((userId) => join(there, userId)));
    await own.announced('p1', 'p3', 'p5', 'p7', 'p9', 'p11');
    for (const client of watchers) expect(await watch(client, 'p7', 'p9', 'p11')).toEqual({ p7: 'online', p9: 'online', p11: 'online' });
    using overheard = await announcementsOf(killedRedis.url, own.keys);
    await doomed.kill();
    const returned = await join(own.gateways[1]!, 'p11');
    // On a slow machine the end of the gateway may have been noticed first: then it was gone, and may be told so.
    const wasInTime = (await own.redis.hlen(own.keys.gateways)) === own.gateways.length + 1;
    const counts = (told: string): boolean => wasInTime || !told.includes('p11');
    for (const client of watchers) await hearsMember(client, '-p9');
    await own.announced('p1', 'p3', 'p5', 'p11');
    for (const client of watchers) {
      await eventually(() => { expect(changesHeard(client).filter(counts).sort()).toEqual(['p7 offline', 'p9 offline']); });
      expect(membersHeard(client).filter((each) => each.startsWith('-') && counts(each)).sort()).toEqual(['-p7', '-p9']);
    }
    expect([overheard.of('p7'), overheard.of('p9')]).toEqual([['offline'], ['offline']]);
    leave(returned, ...watchers, ...lost);
    await own.announced();
  }, 60_000);
});

describe('Redis that has lost its data', () => {
  it('[PRS4] knows presence again when the clients are back, and keeps nothing of those who are not', async () => {
    await using forgetful = await startRedis();
    await using own = await startWatchBench(300, { redisUrl: forgetful.url });
    const reconnects = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
    const clients = await Promise.all(['p1', 'p3'].map((userId, n) => join(own.gateways[n]!, userId, reconnects)));
    const gone = await join(own.gateways[2]!, 'p5');
    await own.announced('p1', 'p3', 'p5');
    await own.redis.flushall();
    await eventually(() => clients.every((client) => client.payloads('session:welcome').length > 1), { timeoutMs: 20_000, what: 'the clients to be back' });
    await eventually(async () => { expect(await watch(clients[0]!, 'p3', 'p5')).toEqual({ p3: 'online', p5: 'offline' }); }, { timeoutMs: 10_000 });
    await own.announced('p1', 'p3');
    leave(gone, ...clients);
    await own.announced();
  }, 60_000);
});
