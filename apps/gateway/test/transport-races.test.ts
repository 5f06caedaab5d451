import { createEmitter } from '@skirmish/emitter';
import type { CombatId, RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { compareStreamIds, createRedis, InboxReader, keysOf, whenReady } from '@skirmish/redis';
import { eventually, services, timePasses, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Directory } from '../src/cluster/directory.ts';
import { Incarnation } from '../src/cluster/incarnation.ts';
import type { GapReason } from '../src/cluster/incarnation.ts';
import { joinAs, type Player, startBareGateway } from './_bare-gateway.ts';

/** Interleavings that once left a client deaf, a directory entry wrong, or a hole in what a client heard. */
describe('races of the transport', () => {
  const redis = createRedis({ url: services().redisUrl, name: 'races', role: 'command' });
  let realm: RealmId;
  beforeAll(() => whenReady(redis));
  beforeEach(() => { realm = uniqueRealm() as RealmId; });
  afterAll(() => { redis.disconnect(); });
  const emitterOf = (more = {}) => createEmitter({ redis, realm, epochGraceMs: 0, ...more });
  const incarnationOf = (more: object = {}, gaps: (GapReason | null)[] = []) => new Incarnation({
    redis, keys: keysOf(realm), address: '127.0.0.1:1', version: '1', renewIntervalMs: 60_000, condemnAfterTicks: 3, epochGraceMs: 0, inboxRetentionMs: 60_000,
    position: () => '0-0', revision: () => 0, sockets: () => 0, draining: () => false,
    onLost: (gap: GapReason | null) => { gaps.push(gap); }, onRegistered: () => undefined, onGap: (reason: GapReason) => { gaps.push(reason); },
    onCondemned: () => undefined, onError: (error: unknown) => { throw error; }, ...more,
  });

  it('a gateway that renews just before it would be condemned keeps its rooms', async () => {
    const keys = keysOf(realm);
    const pair = [incarnationOf(), incarnationOf()] as const;
    for (const each of pair) await each.start();
    const condemned = { told: (): void => undefined };
    const reaper = incarnationOf({ renewIntervalMs: 200, onCondemned: () => { condemned.told(); } });
    await reaper.start();
    // The reaper goes through the registry in the order of Redis: the one that comes first dies, the other one is late.
    const order = await redis.hkeys(keys.gateways);
    const [dead, late] = order.indexOf(pair[0].id) < order.indexOf(pair[1].id) ? pair : [pair[1], pair[0]];
    await redis.sadd(keys.roomsOf(dead.id), ...Array.from({ length: 2000 }, (_, n) => `party:${n}`));
    await redis.sadd(keys.roomsOf(late.id), 'party:alive');
    await redis.sadd(keys.room('party:alive' as RoomName), late.id);
    const before = late.id;
    // `late` wakes up while the reaper is busy with `dead`.
    condemned.told = () => {
      reaper.rest();
      void late.renew();
    };
    await eventually(async () => !(await redis.hexists(keys.gateways, dead.id)), { timeoutMs: 5000 });
    // The pass in which `dead` was condemned, to its end.
    await reaper.renew();
    expect(late.id).toBe(before);
    expect(await redis.smembers(keys.room('party:alive' as RoomName))).toEqual([late.id]);
    await Promise.all([dead, late, reaper].map((each) => each.stop()));
  });

  it('a join that the reader has not met when the linger of its room ends is not undone', async () => {
    const keys = keysOf(realm);
    await using gateway = await startBareGateway(services().redisUrl, realm);
    const party = 'party:again' as RoomName;
    const player = await joinAs(gateway.url, 'r2', [party]);
    const emitter = emitterOf();
    await emitter.leave({ rooms: [party] }, [party]);
    await eventually(() => !gateway.nsp.adapter.rooms.has(party));
    gateway.transport.reader.hold();
    await timePasses(600, 'the time of the race');
    await emitter.join({ rooms: [roomOf.user('r2' as UserId)] }, [party]);
    await timePasses(2500, 'the time of the race');
    await emitter.emit({ rooms: [party] }, 'app:n', { n: 1 });
    gateway.transport.reader.release();
    await eventually(() => gateway.nsp.adapter.rooms.has(party));
    await timePasses(1500, 'the time of the race');
    await emitter.emit({ rooms: [party] }, 'app:n', { n: 2 });
    await eventually(() => player.received.at(-1)?.payload['n'] === 2, { what: 'the last event' });
    expect(await redis.smembers(keys.room(party))).toEqual([gateway.transport.incarnation()]);
    expect(player.received.map(({ payload }) => payload['n'])).toEqual([1, 2]);
    player.close();
  });

  it('a connection that is joined to a room while it connects hears everything of that room, however long it takes', async () => {
    const emitter = emitterOf();
    const party = 'party:meanwhile' as RoomName;
    await using gateway = await startBareGateway(services().redisUrl, realm, {}, async () => {
      await emitter.join({ rooms: [roomOf.user('r3' as UserId)] }, [party]);
      await emitter.emit({ rooms: [party] }, 'app:n', { n: 1 });
      await timePasses(3000, 'the time of the race');
      await emitter.emit({ rooms: [party] }, 'app:n', { n: 2 });
      await timePasses(100, 'the time of the race');
    });
    const player = await joinAs(gateway.url, 'r3');
    await timePasses(300, 'the time of the race');
    await emitter.emit({ rooms: [party] }, 'app:n', { n: 3 });
    await eventually(() => player.received.at(-1)?.payload['n'] === 3, { what: 'the last event' });
    expect(player.received.map(({ payload }) => payload['n'])).toEqual([1, 2, 3]);
    player.close();
  });

  it('a connection that is disconnected while it connects is told why, like any other', async () => {
    const emitter = emitterOf();
    const reason = { code: 'session/disconnected', message: 'maintenance' };
    await using gateway = await startBareGateway(services().redisUrl, realm, {}, async () => {
      const { id } = await emitter.disconnect({ rooms: [roomOf.user('r9' as UserId)] }, reason);
      await eventually(() => compareStreamIds(gateway.transport.reader.position, id) >= 0);
    });
    const player = await joinAs(gateway.url, 'r9');
    await eventually(() => player.disconnects.length > 0);
    expect(player.disconnects).toEqual(['io server disconnect']);
    expect(player.received).toMatchObject([{ event: 'session:closed', payload: reason }]);
  });

  it('a reader that is too slow tells of a gap before entries are trimmed unread', async () => {
    const inbox = keysOf(realm).inbox('slow' as never);
    const retentionMs = 2000;
    let gaps = 0;
    const reader = new InboxReader({ blockMs: 100, coalesceMs: 0, entriesMax: 10, gapAfterMs: 0.75 * retentionMs, onGap: () => { gaps += 1; }, onInvalid: () => undefined });
    reader.point(inbox, '0-0');
    let sent = 0;
    const seen: number[] = [];
    const until = performance.now() + 8000;
    const write = (async () => {
      while (performance.now() < until) {
        for (let i = 0; i < 10; i += 1) await redis.xadd(inbox, 'MINID', '=', String(Date.now() - retentionMs), '*', 'nsp', '/n', 'type', '3', 'data', `{"n":${(sent += 1)}}`);
        await timePasses(20, 'the time of the race');
      }
    })();
    while (performance.now() < until) {
      const reply = await reader.round((block, count, key, position) => redis.xread('COUNT', count, 'BLOCK', block, 'STREAMS', key, position));
      for (const [, fields] of (reply)?.[0]?.[1] ?? []) seen.push((JSON.parse(fields[5] ?? '') as { n: number }).n);
      await timePasses(80, 'the time of the race');
    }
    await write;
    const holes = seen.filter((n, i) => i > 0 && n !== (seen[i - 1] ?? 0) + 1).length;
    expect(holes === 0 || gaps > 0).toBe(true);
  });

  it('a data set that lost what was delivered is noticed, also when somebody has emitted since', async () => {
    const keys = keysOf(realm);
    const gaps: (GapReason | null)[] = [];
    let position = '';
    const one = incarnationOf({ position: () => position, onRegistered: (_inbox: string, at: string) => { position = at; } }, gaps);
    await one.start();
    const emitter = emitterOf();
    await redis.sadd(keys.room('party:x' as RoomName), one.id);
    await redis.sadd(keys.roomsOf(one.id), 'party:x');
    const clock = await redis.hgetall(keys.clock);
    const copy = await redis.dumpBuffer(keys.inbox(one.id));
    position = (await emitter.emit({ rooms: ['party:x' as RoomName] }, 'app:n', { n: 1 })).id;
    await one.renew();
    expect(gaps).toEqual([null]);
    // Back from a copy that does not have that emission; a worker is the first to emit again.
    await redis.hset(keys.clock, clock);
    await redis.restore(keys.inbox(one.id), 0, copy, 'REPLACE');
    await timePasses(5, 'the time of the race');
    await emitter.emit({ rooms: ['party:x' as RoomName] }, 'app:n', { n: 2 });
    await one.renew();
    expect(gaps).toEqual([null, 'epoch']);
    await one.stop();
  });

  it('a character whose newer connection ends is still in the zone with the older one', async () => {
    const keys = keysOf(realm);
    const zone = 'meadow' as ZoneId;
    await using a = await startBareGateway(services().redisUrl, realm);
    await using b = await startBareGateway(services().redisUrl, realm);
    const older = await joinAs(a.url, 'r6', [], zone);
    const newer = await joinAs(b.url, 'r6', [], zone);
    newer.close();
    await eventually(async () => (await redis.hlen(keys.user('r6' as UserId))) === 1);
    expect(older.socket.connected).toBe(true);
    const seat = await redis.hget(keys.roster(zone), 'c-r6');
    expect(JSON.parse(seat ?? 'null')).toMatchObject({ socketId: older.socket.id, incarnation: a.transport.incarnation() });
    older.close();
    await eventually(async () => (await redis.exists(keys.roster(zone))) === 0);
  });

  it('a connection refused while the gateway is not registered leaves nothing behind', async () => {
    const keys = keysOf(realm);
    const user = roomOf.user('r7' as UserId);
    const incarnation = incarnationOf();
    await incarnation.start();
    const directory = new Directory({
      redis, keys, incarnation: () => incarnation.id, position: () => '0-0', hasMembers: () => false, lingerMs: 0, socketsPerUserMax: 5, resumeWindowMs: 60_000,
      onDead: () => undefined, onError: (error) => { throw error; },
    });
    const entry = { op: 'connect', socketId: 's7', rooms: [user], userId: 'r7', userKey: keys.user('r7' as UserId), device: 'test', connectedAtMs: 0, zoneKey: '', characterId: '', pid: 'a-private-id-7', sessionsKey: keys.sessionsOf('r7' as UserId), resume: null } as const;
    await expect(directory.connect({ ...entry, rooms: [...entry.rooms] })).rejects.toMatchObject({ code: 'server/unavailable' });
    directory.open(0);
    // Any later look at the room would write it for nobody.
    directory.touch(user);
    await directory.flush();
    expect(directory.size).toEqual({ rooms: 0, pending: 0, waiting: 0 });
    expect(await redis.smembers(keys.room(user))).toEqual([]);
    directory.close();
    await incarnation.stop();
  });

  it('a connection that completes after a gap hears nothing critical any more', async () => {
    const room = roomOf.combat('r8' as CombatId);
    const emitter = emitterOf();
    const { promise: opened, resolve: open } = Promise.withResolvers<undefined>();
    await using gateway = await startBareGateway(services().redisUrl, realm, { inboxRetentionMs: 2000 }, async (userId) => { if (userId === 'r8') await opened; });
    const crowd: Player[] = [];
    // All at once are more than a busy machine welcomes in time.
    for (let n = 0; n < 450; n += 50) crowd.push(...await Promise.all(Array.from({ length: 50 }, (_, i) => joinAs(gateway.url, `crowd-${n + i}`))));
    const witness = await joinAs(gateway.url, 'witness', [room]);
    const late = joinAs(gateway.url, 'r8', [room]);
    await eventually(async () => (await redis.exists(keysOf(realm).user('r8' as UserId))) === 1);
    const gaps = (): number => (gateway.transport.stats() as { gaps: number }).gaps;
    gateway.transport.reader.hold();
    const gapsBefore = gaps();
    await emitter.emit({ rooms: [room] }, 'app:n', { n: 1 });
    await timePasses(1700, 'the time of the race');
    const got: boolean[] = [];
    gateway.nsp.on('connection', (socket) => { if ((socket.handshake.auth as { userId: string }).userId === 'r8') got.push(gateway.nsp.adapter.rooms.get(room)?.has(socket.id) ?? false); });
    gateway.transport.reader.release();
    await eventually(() => gaps() > gapsBefore, { intervalMs: 0 });
    open(undefined);
    await eventually(() => got.length > 0, { intervalMs: 0 });
    const { id } = await emitter.emit({ rooms: [room] }, 'app:n', { n: 2 });
    await eventually(() => compareStreamIds(gateway.transport.reader.position, id) >= 0);
    const player = await late;
    await eventually(() => player.disconnects.length > 0);
    expect(got[0]).toBe(false);
    for (const each of [...crowd, witness, player]) each.close();
  }, 60_000);
});
