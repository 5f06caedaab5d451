import { createEmitter } from '@skirmish/emitter';
import type { CombatId, RealmId } from '@skirmish/protocol';
import { namespaceOf, roomOf } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import type { RedisServer } from '@skirmish/testing';
import { eventually, startRedis, startTcpProxy, timePasses, uniqueRealm } from '@skirmish/testing';
import { Server } from 'socket.io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapterFor } from '../src/connection/redis-adapter.ts';
import { joinAs, startBareGateway } from './_bare-gateway.ts';

/** One regression test for each known trap of the stack, named by its number in the catalogue of findings. */
const room = roomOf.combat('findings' as CombatId);

/** Microtask starvation shows as a stopped timer: counts the ticks of a 20 ms interval while `during` runs. */
async function ticksCome(during: (ticks: () => number) => Promise<void>): Promise<void> {
  let ticks = 0;
  const timer = setInterval(() => { ticks += 1; }, 20);
  await during(() => ticks).finally(() => { clearInterval(timer); });
}

async function commandCalls(redis: Redis, command: string): Promise<number> {
  const stats = await redis.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('findings of the transport', () => {
  let server: RedisServer;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, name: 'test', role: 'command' });
    await whenReady(redis);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('F1: poison entries are skipped and counted, and everything after them arrives', async () => {
    const realm = uniqueRealm() as RealmId;
    const keys = keysOf(realm);
    await using gateway = await startBareGateway(server.url, realm);
    const player = await joinAs(gateway.url, 'f1', [room]);
    gateway.nsp.adapter.on('join-room', (name: string) => { if (name === 'party:boom') throw new Error('listener'); });
    const inbox = keys.inbox(gateway.transport.incarnation());
    const nsp = namespaceOf(realm);
    // All in one read round: what follows a poison entry in the same round must not be lost with it.
    gateway.transport.reader.hold();
    await redis.xadd(inbox, '*', 'v', '1', 'nsp', nsp, 'uid', 'x', 'type', '3');
    await redis.xadd(inbox, '*', 'v', '1', 'nsp', nsp, 'uid', 'x', 'type', '3', 'data', '{not json}');
    await redis.xadd(inbox, '*', 'v', '1', 'nsp', nsp, 'uid', 'x', 'type', '3', 'data', '{"opts":{"rooms":["a"],"except":[]}}');
    await redis.xadd(inbox, '*', 'v', '1', 'nsp', nsp, 'uid', 'x', 'type', '4', 'data', `{"opts":{"rooms":["${room}"],"except":[],"flags":{}},"rooms":["party:boom"]}`);
    await redis.xadd(inbox, '*', 'v', '9', 'nsp', nsp, 'uid', 'x', 'type', '3', 'data', '{}');
    await redis.xadd(inbox, '*', 'garbage', 'x');
    const calls = await commandCalls(redis, 'xread');
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    await emitter.emit({ rooms: [room] }, 'app:after', { n: 1 }).catch(() => undefined);
    // Foreign ids are ahead of the clock at most once: the script lifts the clock over them.
    await emitter.emit({ rooms: [room] }, 'app:after', { n: 2 });
    gateway.transport.reader.release();
    await eventually(() => player.received.some(({ payload }) => payload['n'] === 2), { what: 'the event after the poison' });
    await timePasses(1000, 'the time of the test');
    expect((await commandCalls(redis, 'xread')) - calls).toBeLessThan(15);
    const metrics = await gateway.metrics.render();
    expect(metrics).toMatch(/transport_invalid_entry_total\{[^}]*\} [2-9]/);
    expect(metrics).toMatch(/transport_handler_error_total\{[^}]*\} [1-9]/);
    player.close();
  });

  it('F2: an outage of Redis does not freeze the process: timers go on, also while the reader fails', async () => {
    await using own = await startRedis({ appendOnly: true });
    await using gateway = await startBareGateway(own.url, uniqueRealm());
    await own.kill();
    const [before, startedAt] = [process.cpuUsage(), performance.now()];
    await ticksCome(async (ticks) => {
      await timePasses(1500, 'the outage');
      await eventually(() => ticks() > 10);
    });
    const { user, system } = process.cpuUsage(before);
    // Frozen in microtasks no tick would come at all; without a back-off a core would be busy.
    expect((user + system) / 1000).toBeLessThan((performance.now() - startedAt) * 0.8);
    await own.restart();
    const player = await joinAs(gateway.url, 'f2', [room]);
    gateway.nsp.to(room).emit('alive', { n: 1 });
    await eventually(() => player.received.length === 1, { timeoutMs: 10_000 });
    player.close();
  });

  it('F3: what the adapter sends without waiting during an outage does not end the process', async () => {
    await using own = await startRedis({ appendOnly: true });
    const rejections: unknown[] = [];
    const note = (error: unknown): void => { rejections.push(error); };
    process.on('unhandledRejection', note);
    await using gateway = await startBareGateway(own.url, uniqueRealm());
    const [leaver, stayer] = [await joinAs(gateway.url, 'f3-leaver', [room]), await joinAs(gateway.url, 'f3-stayer', [room])];
    await own.kill();
    leaver.socket.disconnect();
    gateway.nsp.serverSideEmit('hello', { n: 1 });
    gateway.nsp.volatile.to(room).emit('volatile', { n: 1 });
    gateway.nsp.in(room).socketsJoin('party:f3');
    gateway.nsp.in(room).disconnectSockets();
    await expect(gateway.nsp.timeout(200).emitWithAck('asked', { n: 1 })).rejects.toThrow();
    await timePasses(1000, 'the outage');
    await own.restart();
    expect(stayer.socket.connected).toBe(true);
    expect(rejections).toEqual([]);
    process.off('unhandledRejection', note);
    stayer.close();
  });

  it('F11: broadcasts during an outage are refused at once, fill no memory, and do not come as a flood afterwards', async () => {
    await using own = await startRedis({ appendOnly: true });
    await using gateway = await startBareGateway(own.url, uniqueRealm());
    const player = await joinAs(gateway.url, 'f11', [room]);
    await own.kill();
    // The connections have noticed.
    await eventually(() => !gateway.transport.check().ok);
    global.gc?.();
    const heapBytes = process.memoryUsage().heapUsed;
    for (let n = 0; n < 20_000; n += 1) gateway.nsp.to(room).emit('flood', { n, text: 'x'.repeat(200) });
    await eventually(() => (gateway.transport.stats() as { emissionsInFlight: number }).emissionsInFlight === 0);
    global.gc?.();
    expect(process.memoryUsage().heapUsed - heapBytes).toBeLessThan(10_000_000);
    await own.restart();
    await eventually(() => gateway.transport.check().ok, { timeoutMs: 10_000 });
    gateway.nsp.to(room).emit('alive', { n: 1 });
    await eventually(() => player.received.length > 0, { timeoutMs: 10_000 });
    expect(player.received.map(({ event }) => event)).toEqual(['alive']);
    player.close();
  });

  it('F4: nothing is lost that is emitted right after a connect to a fresh gateway, nor when the idle reader is cut', async () => {
    const realm = uniqueRealm() as RealmId;
    await using gateway = await startBareGateway(server.url, realm);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    const player = await joinAs(gateway.url, 'f4', [room]);
    // The first cut comes before anything was ever delivered: there is no last id to go on from but that of the registration.
    for (let n = 0; n <= 10; n += 1) {
      await redis.client('KILL', 'ID', String(await readerId(redis, realm)));
      await emitter.emit({ rooms: [room] }, 'app:next', { n });
    }
    await eventually(() => player.received.length === 11, { timeoutMs: 10_000 });
    expect(player.received.map(({ payload }) => payload['n'])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    player.close();
  });

  it('F5: a reader that stood still longer than its inbox remembers cuts its clients off instead of skipping silently', async () => {
    const realm = uniqueRealm() as RealmId;
    await using gateway = await startBareGateway(server.url, realm, { inboxRetentionMs: 2000 });
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0, inboxRetentionMs: 2000 });
    const player = await joinAs(gateway.url, 'f5', [room]);
    let heardBeforeTheCut = -1;
    player.socket.once('disconnect', () => { heardBeforeTheCut = player.received.length; });
    gateway.transport.reader.hold();
    await emitter.emit({ rooms: [room] }, 'app:missed', { n: 1 });
    await timePasses(1700, 'the time of the test');
    gateway.transport.reader.release();
    // On a busy machine there may be a second gap, and a second cut.
    await eventually(() => player.disconnects.length > 0);
    expect(heardBeforeTheCut).toBe(0);
    await eventually(() => player.welcomes > 1 && player.socket.connected);
    await emitter.emit({ rooms: [room] }, 'app:later', { n: 2 });
    await eventually(() => player.received.some(({ event }) => event === 'app:later'), { timeoutMs: 15_000 });
    player.close();
  });

  it('F8: an event that does not carry exactly one object never leaves the gateway', async () => {
    const realm = uniqueRealm() as RealmId;
    await using gateway = await startBareGateway(server.url, realm);
    const player = await joinAs(gateway.url, 'f8', [room]);
    gateway.nsp.to(room).emit('trailing', { n: 1 }, 'text');
    gateway.nsp.to(room).emit('no-object', 'text');
    gateway.nsp.local.to(room).emit('local-text', 'text');
    for (const socket of gateway.nsp.sockets.values()) socket.emit('direct-text', { n: 1 }, 'text');
    gateway.nsp.to(room).emit('good', { n: 2 });
    await eventually(() => player.received.length > 0);
    expect(player.received.map(({ event }) => event)).toEqual(['good']);
    expect(await gateway.metrics.render()).toMatch(/transport_emit_failed_total\{[^}]*cause="payload"[^}]*\} 4/);
    player.close();
  });

  it('F10: a broadcast that Redis did not take reaches nobody, also not the own members', async () => {
    const realm = uniqueRealm() as RealmId;
    const own = await startRedis();
    await using gateway = await startBareGateway(own.url, realm);
    const player = await joinAs(gateway.url, 'f10', [room]);
    const admin = createRedis({ url: own.url, name: 'admin', role: 'command' });
    await whenReady(admin);
    await admin.config('SET', 'maxmemory', '1mb');
    gateway.nsp.to(room).emit('refused', { n: 1 });
    await eventually(async () => /cause="unavailable"[^}]*\} 1/.test(await gateway.metrics.render()));
    await admin.config('SET', 'maxmemory', '0');
    gateway.nsp.to(room).emit('taken', { n: 2 });
    await eventually(() => player.received.length > 0);
    expect(player.received.map(({ event }) => event)).toEqual(['taken']);
    admin.disconnect();
    player.close();
    await own.stop();
  });

  it('F12: a half-open connection of the reader is given up, and delivery goes on', async () => {
    const realm = uniqueRealm() as RealmId;
    const proxy = await startTcpProxy({ targetPort: server.port });
    await using gateway = await startBareGateway(`redis://127.0.0.1:${proxy.port}`, realm, { readBlockMs: 400 });
    const player = await joinAs(gateway.url, 'f12', [room]);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    proxy.strand();
    await emitter.emit({ rooms: [room] }, 'app:through', { n: 1 });
    await eventually(() => player.received.length === 1, { timeoutMs: 8000, what: 'delivery after the black hole' });
    player.close();
    await gateway.stop();
    await proxy.close();
  });

  it('F26: the adapter goes into the constructor and can be called with new', () => {
    const choose = adapterFor(new Map());
    const io = new Server({ adapter: choose as never });
    expect(new choose(io.of('/'))).toBeDefined();
    expect(io.of('/').adapter).toBeDefined();
  });

  it('F27: a payload that cannot be written neither crashes the gateway nor reaches anybody', async () => {
    const realm = uniqueRealm() as RealmId;
    const rejections: unknown[] = [];
    const note = (error: unknown): void => { rejections.push(error); };
    process.on('unhandledRejection', note);
    await using gateway = await startBareGateway(server.url, realm);
    const player = await joinAs(gateway.url, 'f27', [room]);
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    gateway.nsp.to(room).emit('big', { n: 1n });
    gateway.nsp.to(room).emit('cycle', cycle);
    gateway.nsp.local.to(room).emit('local-big', { n: 1n });
    for (const socket of gateway.nsp.sockets.values()) socket.emit('direct-big', { n: 1n });
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    await expect(emitter.emit({ rooms: [room] }, 'app:big', { n: 1n })).rejects.toThrow(TypeError);
    await emitter.emit({ rooms: [room] }, 'app:good', { n: 1 });
    await eventually(() => player.received.length > 0);
    expect(player.received.map(({ event }) => event)).toEqual(['app:good']);
    expect(rejections).toEqual([]);
    process.off('unhandledRejection', note);
    player.close();
  });
});

async function readerId(redis: Redis, realm: string): Promise<number> {
  return eventually(async () => {
    const list = String(await redis.client('LIST'));
    const line = list.split('\n').find((entry) => entry.includes(`name=gateway-${realm}-adapter-reader `) && entry.includes('cmd=xread'));
    return Number(/^id=(\d+)/.exec(line ?? '')?.[1] ?? 0);
  });
}
