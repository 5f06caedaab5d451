import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEmitter } from '@skirmish/emitter';
import type { CombatId, RealmId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import { compareStreamIds, createRedis, keysOf, logRetentionMs, whenReady } from '@skirmish/redis';
import type { RedisServer } from '@skirmish/testing';
import { eventually, startRedis, startTcpProxy, timePasses, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BareGateway, Player } from './_bare-gateway.ts';
import { joinAs, startBareGateway } from './_bare-gateway.ts';
import { startLostTime } from './_lost-time.ts';

/** One regression test for each known trap of Redis and of what talks to it, named by its number in the catalogue of findings. */
const room = roomOf.combat('findings' as CombatId);

const infoOf = async (redis: Redis, section: string, field: string): Promise<number> => Number(new RegExp(`${field}:(?:calls=)?(\\d+)`).exec(await redis.info(section))?.[1] ?? 0);
const calls = (redis: Redis): Promise<number> => infoOf(redis, 'stats', 'total_commands_processed');

async function connected(url: string): Promise<Redis> {
  const redis = createRedis({ url, name: 'test', role: 'command' });
  await whenReady(redis);
  return redis;
}

describe('findings of Redis', () => {
  let server: RedisServer;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    redis = await connected(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('F18: questions to all gateways end in time although one of them is deaf, and no path of a request asks them', async () => {
    const realm = uniqueRealm() as RealmId;
    await using proxy = await startTcpProxy({ targetPort: server.port });
    // The deaf one is not to be condemned meanwhile: then nobody would wait for it.
    await using asking = await startBareGateway(server.url, realm, { renewIntervalMs: 60_000 });
    await using deaf = await startBareGateway(`redis://127.0.0.1:${proxy.port}`, realm, { renewIntervalMs: 60_000 });
    const player = await joinAs(deaf.url, 'f18', [room]);
    expect(await asking.nsp.fetchSockets()).toHaveLength(1);
    proxy.blackhole();
    using lost = startLostTime();
    const startedAt = performance.now();
    await expect(asking.nsp.timeout(400).fetchSockets()).rejects.toThrow('timeout');
    expect(performance.now() - startedAt).toBeLessThan(3_000 + lost.ms);
    // One second's answers of others must not be waited for by anybody: a slow question holds up no emission.
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    const question = asking.nsp.timeout(2_000).fetchSockets();
    question.catch(() => undefined);
    const tookMs: number[] = [];
    for (let n = 1; n <= 3; n += 1) {
      const emittedAt = performance.now();
      await emitter.emit({ rooms: [room] }, 'app:n', { n });
      tookMs.push(performance.now() - emittedAt);
    }
    expect(Math.min(...tookMs)).toBeLessThan(1_000);
    await expect(question).rejects.toThrow('timeout');
    proxy.heal();
    await eventually(async () => (await asking.nsp.timeout(500).fetchSockets()).length === 1, { timeoutMs: 15_000, what: 'the deaf one to answer again' });
    player.close();
  });

  it('F18: the sources of the gateway never ask all gateways', () => {
    const folder = join(import.meta.dirname, '../src');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    const asking = files.filter((name) => /\.fetchSockets\(|\.serverSideEmit|\.emitWithAck\(/.test(readFileSync(join(folder, name), 'utf8')));
    expect(files.length).toBeGreaterThan(30);
    // The count of a room's members for callers that may wait.
    expect(asking.filter((name) => name !== join('room', 'room-service.ts'))).toEqual([]);
  });

  it('F19: gateways that come and go leave no subscription, no connection and no listener, and questions that time out no callback', async () => {
    const realm = uniqueRealm() as RealmId;
    const own = await startRedis();
    const admin = await connected(own.url);
    await using stays = await startBareGateway(own.url, realm);
    const player = await joinAs(stays.url, 'f19', [room]);
    const clientsOf = async (): Promise<string[]> => String(await admin.client('LIST')).split('\n').flatMap((line) => / name=(\S+)/.exec(line)?.slice(1) ?? []).sort();
    const channelsOf = async (): Promise<unknown> => admin.pubsub('CHANNELS', '*');
    const [clients, channels] = [await clientsOf(), await channelsOf()];
    for (let n = 0; n < 12; n += 1) {
      const guest = await startBareGateway(own.url, realm);
      await guest.stop();
    }
    await eventually(async () => {
      expect(await clientsOf()).toEqual(clients);
      expect(await channelsOf()).toEqual(channels);
    }, { what: 'everything of the guests to be gone' });
    const socket = [...stays.nsp.sockets.values()][0] as unknown as { timeout(ms: number): { emitWithAck(event: string, payload: object): Promise<unknown> }; acks: Map<number, unknown> };
    const questions = Array.from({ length: 500 }, () => socket.timeout(50).emitWithAck('question', {}));
    expect((await Promise.allSettled(questions)).every(({ status }) => status === 'rejected')).toBe(true);
    expect(socket.acks.size).toBe(0);
    player.close();
    admin.disconnect();
    await own.stop();
  });

  it('F20: an entry costs the gateways that have members of its room, and no other one', async () => {
    const realm = uniqueRealm() as RealmId;
    await using member = await startBareGateway(server.url, realm);
    await using others = await startBareGateway(server.url, realm);
    const player = await joinAs(member.url, 'f20', [room]);
    const other = await joinAs(others.url, 'f20-other', []);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    const entriesOf = async (gateway: BareGateway): Promise<number> => Number(/inbox_entries_total\{[^}]*\} (\d+)/.exec(await gateway.metrics.render())?.[1] ?? 0);
    const before = await entriesOf(others);
    for (let n = 0; n < 200; n += 1) await emitter.emit({ rooms: [room] }, 'app:n', { n });
    await eventually(() => player.received.length === 200);
    expect(await entriesOf(others)).toBe(before);
    expect(await entriesOf(member)).toBeGreaterThanOrEqual(200);
    player.close();
    other.close();
  });

  it('F21: what inboxes and logs remember is bounded by time, whatever is emitted, and logs of the quiet go', async () => {
    const realm = uniqueRealm() as RealmId;
    const keys = keysOf(realm);
    await using gateway = await startBareGateway(server.url, realm);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0, logWindowMs: 600, inboxRetentionMs: 600 });
    const player = await joinAs(gateway.url, 'f21', [room]);
    const inbox = keys.inbox(gateway.transport.incarnation());
    const longAgoMs = Date.now() - logRetentionMs(600) - 1_000;
    for (let n = 0; n < 200; n += 1) await redis.xadd(keys.log(room), `${longAgoMs}-${n}`, 'data', JSON.stringify({ filler: 'x'.repeat(400) }));
    let emitted = 0;
    const portionsAt: number[] = [];
    const until = performance.now() + 3_000;
    // Most of it must be older than what is remembered, also where the machine stood still for a while.
    const isOld = (at: number): boolean => at < performance.now() - 1_200;
    while (performance.now() < until || portionsAt.filter(isOld).length < portionsAt.length / 2) {
      portionsAt.push(performance.now());
      await Promise.all(Array.from({ length: 25 }, () => emitter.emit({ rooms: [room] }, 'app:n', { n: 0, filler: 'x'.repeat(400) })));
      emitted += 25;
      await timePasses(10, 'the pace of the sender');
    }
    // An inbox remembers at most 0.6 s, and what shares a node with them: 100 entries. A log keeps the window and a little more.
    expect(await redis.xlen(inbox)).toBeLessThan(portionsAt.filter((at) => !isOld(at)).length * 25 + 200);
    expect(await redis.xlen(keys.log(room))).toBeLessThan(emitted + 100);
    expect(await redis.pttl(keys.log(room))).toBeLessThanOrEqual(logRetentionMs(600));
    await eventually(async () => (await redis.exists(keys.log(room))) === 0, { timeoutMs: logRetentionMs(600) + 5_000, what: 'the log of a quiet room to go' });
    player.close();
  });

  it('F22: a gateway that sends everybody away asks little of Redis: batches, not a command for each connection', async () => {
    const realm = uniqueRealm() as RealmId;
    const own = await startRedis();
    const admin = await connected(own.url);
    const gateway = await startBareGateway(own.url, realm, { renewIntervalMs: 60_000 });
    const players = await Promise.all(Array.from({ length: 200 }, (_, n) => joinAs(gateway.url, `f22-${n}`, [room])));
    for (const player of players) player.socket.io.reconnection(false);
    const [before, scriptsBefore] = [await calls(admin), await infoOf(admin, 'commandstats', 'cmdstat_evalsha')];
    for (const socket of gateway.nsp.sockets.values()) socket.conn.close();
    await eventually(async () => (await admin.exists(keysOf(realm).socketsOf(gateway.transport.incarnation()))) === 0, { what: 'all sockets to be out of Redis' });
    // Scripts count with what they call: about five small commands for each connection, one round trip for many.
    expect((await calls(admin)) - before).toBeLessThan(200 * 25);
    expect((await infoOf(admin, 'commandstats', 'cmdstat_evalsha')) - scriptsBefore).toBeLessThan(200);
    await gateway.stop();
    admin.disconnect();
    await own.stop();
  });

  it('F12: a gateway all of whose connections are half-open is whole again within three times its block', async () => {
    const realm = uniqueRealm() as RealmId;
    await using proxy = await startTcpProxy({ targetPort: server.port });
    await using gateway = await startBareGateway(`redis://127.0.0.1:${proxy.port}`, realm, { readBlockMs: 1_000 });
    await using other = await startBareGateway(server.url, realm);
    const player = await joinAs(gateway.url, 'half-open', [room]);
    proxy.strand();
    using lost = startLostTime();
    const startedAt = performance.now();
    await eventually(async () => {
      gateway.nsp.to(room).emit('both-ways', { n: 1 });
      gateway.transport.volatile.publish(roomOf.realm, { packet: { type: 2, nsp: gateway.nsp.name, data: ['volatile', { n: 1 }] }, rooms: [room], except: [] });
      // Asks this gateway's subscriber of requests as well.
      await other.nsp.timeout(600).fetchSockets();
      return gateway.transport.check().ok && ['both-ways', 'volatile'].every((name) => player.received.some(({ event }) => event === name));
    }, { timeoutMs: 20_000, what: 'the gateway to be whole' });
    // 2 s, a reconnect, and what a busy machine needs.
    expect(performance.now() - startedAt).toBeLessThan(6_000 + lost.ms);
    player.close();
  });

  it('a reader without progress makes its gateway not ready after 10 s, and ready again by itself', async () => {
    const realm = uniqueRealm() as RealmId;
    await using gateway = await startBareGateway(server.url, realm, { inboxRetentionMs: 120_000 });
    const stats = () => gateway.transport.stats() as { reader: { lagMs: number; silentMs: number; lastProgressAtMs: number }; breaker: { state: string }; connections: Record<string, string>; gaps: number };
    await eventually(() => { expect(Object.values(stats().connections)).toEqual(Array(5).fill('ready')); });
    await eventually(() => { expect(stats()).toMatchObject({ reader: { lagMs: 0 }, breaker: { state: 'closed', opened: 0 }, gaps: 0 }); });
    gateway.transport.reader.hold();
    const heldAt = performance.now();
    await eventually(() => gateway.transport.check().reason === 'the inbox makes no progress', { timeoutMs: 30_000, what: 'the gateway not to be ready' });
    expect(gateway.transport.check().ok).toBe(false);
    expect(performance.now() - heldAt).toBeGreaterThan(9_000);
    expect(stats().reader.lagMs).toBeGreaterThan(9_000);
    expect(stats().reader.lastProgressAtMs).toBeLessThan(Date.now() - 9_000);
    gateway.transport.reader.release();
    await eventually(() => gateway.transport.check().ok && stats().reader.lagMs === 0, { what: 'the gateway to be ready again' });
  }, 40_000);

  it('F25: a stop does not wait for the read that is parked in Redis', async () => {
    const realm = uniqueRealm() as RealmId;
    const gateway = await startBareGateway(server.url, realm, { readBlockMs: 10_000 });
    await eventually(async () => String(await redis.client('LIST')).includes(' cmd=xread '));
    using lost = startLostTime();
    const startedAt = performance.now();
    await gateway.stop();
    expect(performance.now() - startedAt).toBeLessThan(2_000 + lost.ms);
  });
});

describe('F23: a failover to a replica that lags behind', () => {
  let old: RedisServer;
  let next: RedisServer;
  let gateway: BareGateway;
  let player: Player;
  let toOld: Redis;
  let toNext: Redis;
  let proxy: Awaited<ReturnType<typeof startTcpProxy>>;
  let realm: RealmId;

  beforeAll(async () => {
    [old, next] = await Promise.all([startRedis(), startRedis()]);
    [toOld, toNext] = await Promise.all([connected(old.url), connected(next.url)]);
  });
  afterAll(async () => {
    toOld.disconnect();
    toNext.disconnect();
    await old.stop();
    await next.stop();
  });

  const emissions = (url: string) => {
    const connection = createRedis({ url, name: 'emitter', role: 'command' });
    return { connection, emitter: createEmitter({ redis: connection, realm, epochGraceMs: 0 }) };
  };

  async function replicateAndFallBehind(): Promise<void> {
    realm = uniqueRealm() as RealmId;
    await toNext.replicaof('127.0.0.1', old.port);
    await eventually(async () => (await toNext.info('replication')).includes('master_link_status:up'), { timeoutMs: 15_000, what: 'the replica to follow' });
    proxy = await startTcpProxy({ targetPort: old.port });
    gateway = await startBareGateway(`redis://127.0.0.1:${proxy.port}`, realm, { renewIntervalMs: 500 });
    player = await joinAs(gateway.url, 'f23', [room]);
    const { connection, emitter } = emissions(old.url);
    await whenReady(connection);
    await emitter.emit({ rooms: [room] }, 'app:n', { n: 1 });
    await eventually(async () => (await toNext.xlen(keysOf(realm).log(room))) === 1, { what: 'the replica to hold the first event' });
    await toNext.replicaof('NO', 'ONE');
    for (let n = 2; n <= 20; n += 1) await emitter.emit({ rooms: [room] }, 'app:n', { n });
    await eventually(() => player.received.length === 20, { what: 'the events that the replica does not hold' });
    connection.disconnect();
  }

  async function expectHealed(): Promise<void> {
    await eventually(() => player.welcomes >= 2, { timeoutMs: 20_000, what: 'the player to be sent to reconnect' });
    await eventually(() => gateway.transport.check().ok, { timeoutMs: 15_000 });
    const { connection, emitter } = emissions(`redis://127.0.0.1:${proxy.port}`);
    await whenReady(connection);
    for (let n = 21; n <= 30; n += 1) await emitter.emit({ rooms: [room] }, 'app:n', { n });
    await eventually(() => player.received.some(({ payload }) => payload['n'] === 30), { timeoutMs: 15_000, what: 'events after the failover' });
    expect(player.received.map(({ payload }) => payload['n'])).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
    const positions = player.received.map(({ position }) => position ?? '');
    expect(positions.every((position, n) => n === 0 || compareStreamIds(position, positions[n - 1] ?? '') > 0)).toBe(true);
    connection.disconnect();
    player.close();
    await gateway.stop();
    await proxy.close();
  }

  it('by demotion: READONLY leads to a new connection, the position is ahead of the clock, and nobody is left deaf or goes back', async () => {
    await replicateAndFallBehind();
    proxy.target(next.port);
    await toOld.replicaof('127.0.0.1', next.port);
    await expectHealed();
    await toOld.replicaof('NO', 'ONE');
  }, 60_000);

  it('by death: the same when the old master is gone', async () => {
    await replicateAndFallBehind();
    proxy.target(next.port);
    await old.kill();
    await expectHealed();
  }, 60_000);
});
