import type { CombatId, IncarnationId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import type { Rejection } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { compareStreamIds, createRedis, logRetentionMs, msOfStreamId, whenReady } from '@skirmish/redis';
import { eventually, services, startRedis, startTcpProxy } from '@skirmish/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmitter } from '../src/create-emitter.ts';
import { RealtimeService } from '../src/realtime-service.ts';
import { Router } from '../src/router.ts';
import type { TestRealm } from './_realm.ts';
import { createTestRealm } from './_realm.ts';

const zone = roomOf.zone('meadow' as ZoneId);
const fight = roomOf.combat('fight' as CombatId);

describe('the routing script', () => {
  let realm: TestRealm;
  beforeEach(async () => {
    realm = await createTestRealm();
  });
  afterEach(() => {
    realm.close();
  });
  const emitterOf = (options: Partial<Parameters<typeof createEmitter>[0]> = {}) =>
    createEmitter({ redis: realm.redis, realm: realm.realm, retryForMs: 0, ...options });

  it('writes one id into the log of each room and into the inbox of each incarnation with members, and nowhere else', async () => {
    await realm.enter('A', [zone]);
    await realm.enter('B', [zone, fight]);
    await realm.enter('C', []);
    const { id } = await emitterOf().emit({ rooms: [zone, fight] }, 'app:hello', { n: 1 });
    expect((await realm.inbox('A')).map((entry) => entry.id)).toEqual([id]);
    expect((await realm.inbox('B')).map((entry) => entry.id)).toEqual([id]);
    expect(await realm.inbox('C')).toEqual([]);
    expect(await realm.log(zone)).toEqual([id]);
    expect(await realm.log(fight)).toEqual([id]);
    expect((await realm.inbox('A'))[0]?.data).toEqual({
      packet: { type: 2, data: ['app:hello', { n: 1 }], nsp: `/realm/${realm.realm}` },
      opts: { rooms: [zone, fight], except: [], flags: {} },
    });
  });

  it('draws strictly growing ids, also while the clock of the server is behind the last one', async () => {
    await realm.enter('A', [zone]);
    const future = Date.now() + 60_000;
    await realm.redis.hset(realm.keys.clock, { ms: future, seq: 4 });
    const emitter = emitterOf();
    const ids: string[] = [];
    for (let n = 0; n < 50; n += 1) ids.push((await emitter.emit({ rooms: [zone] }, 'app:n', { n })).id);
    expect(ids[0]).toBe(`${future}-5`);
    expect(ids.every((id, i) => i === 0 || compareStreamIds(ids[i - 1] ?? '', id) < 0)).toBe(true);
  });

  it('writes to incarnations whose entries are not complete, whatever the directory says', async () => {
    await realm.enter('A', [zone]);
    await realm.enter('fresh', []);
    await realm.redis.sadd(realm.keys.incomplete, 'fresh');
    await emitterOf().emit({ rooms: [zone] }, 'app:hello', { n: 1 });
    expect(await realm.inbox('fresh')).toHaveLength(1);
  });

  it('refuses while the data set is unknown or young, and writes nothing', async () => {
    await realm.enter('A', [zone]);
    await realm.redis.del(realm.keys.epoch);
    await expect(emitterOf().emit({ rooms: [zone] }, 'app:x', { n: 1 })).rejects.toMatchObject({ code: 'server/unavailable' });
    await realm.redis.set(realm.keys.epoch, `young ${Date.now()}`);
    await expect(emitterOf().emit({ rooms: [zone] }, 'app:x', { n: 2 })).rejects.toMatchObject({ code: 'server/unavailable' });
    expect(await realm.inbox('A')).toEqual([]);
    expect(await realm.log(zone)).toEqual([]);
    expect(await realm.redis.exists(realm.keys.clock)).toBe(0);
    const { id } = await emitterOf({ epochGraceMs: 300, retryForMs: 3000 }).emit({ rooms: [zone] }, 'app:x', { n: 3 });
    expect((await realm.inbox('A')).map((entry) => entry.id)).toEqual([id]);
  });

  it('refuses emissions of a condemned incarnation', async () => {
    await realm.enter('A', [zone]);
    const condemned = emitterOf({ incarnation: () => 'gone' });
    await expect(condemned.emit({ rooms: [zone] }, 'app:x', { n: 1 })).rejects.toMatchObject({ code: 'server/unavailable' });
    await emitterOf({ incarnation: () => 'A' }).emit({ rooms: [zone] }, 'app:x', { n: 2 });
    expect(await realm.inbox('A')).toHaveLength(1);
  });

  it('does not bring the inbox of a removed incarnation back to life', async () => {
    await realm.enter('A', [zone]);
    await realm.enter('gone', [zone]);
    await realm.redis.del(realm.keys.inbox('gone' as IncarnationId));
    await emitterOf().emit({ rooms: [zone] }, 'app:x', { n: 1 });
    expect(await realm.redis.exists(realm.keys.inbox('gone' as IncarnationId))).toBe(0);
    expect(await realm.inbox('A')).toHaveLength(1);
  });

  it('a foreign entry ahead of the clock costs one gap mark, not the emission to the others nor the next one', async () => {
    await realm.enter('A', [zone]);
    await realm.enter('B', [zone]);
    await realm.redis.xadd(realm.keys.inbox('A' as IncarnationId), `${Date.now() + 5000}-7`, 'foreign', '1');
    const emitter = emitterOf();
    await emitter.emit({ rooms: [zone] }, 'app:x', { n: 1 });
    expect(await realm.redis.smembers(realm.keys.gapped)).toEqual(['A']);
    expect(await realm.inbox('B')).toHaveLength(1);
    const { id } = await emitter.emit({ rooms: [zone] }, 'app:x', { n: 2 });
    expect((await realm.inbox('A')).at(-1)?.id).toBe(id);
    expect(await realm.inbox('B')).toHaveLength(2);
  });

  it('a log that cannot take an event has a floor, for as long as anybody may come back with a position from before it', async () => {
    const aheadMs = 600_000;
    await realm.redis.xadd(realm.keys.log(zone), `${Date.now() + aheadMs}-7`, 'foreign', '1');
    const emitter = emitterOf();
    const { id } = await emitter.emit({ rooms: [zone] }, 'app:x', { n: 1 });
    expect(await realm.redis.hgetall(realm.keys.floors)).toEqual({ [zone]: id });
    const leftMs = await realm.redis.pttl(realm.keys.floors);
    expect(leftMs).toBeGreaterThan(aheadMs);
    expect(leftMs).toBeLessThanOrEqual(aheadMs + logRetentionMs(120_000));
    await realm.redis.xadd(realm.keys.log(fight), `${Date.now() + 2 * aheadMs}-7`, 'foreign', '1');
    await emitter.emit({ rooms: [fight] }, 'app:x', { n: 2 });
    expect(await realm.redis.pttl(realm.keys.floors)).toBeGreaterThan(2 * aheadMs);
    expect(await realm.redis.hlen(realm.keys.floors)).toBe(2);
  });

  it('a join enters the directory in the same step, so the emission after it finds the new members', async () => {
    await realm.enter('A', [roomOf.user('u' as UserId)]);
    const emitter = emitterOf();
    await emitter.join({ rooms: [roomOf.user('u' as UserId)] }, [fight]);
    await emitter.emit({ rooms: [fight] }, 'app:x', { n: 1 });
    expect((await realm.inbox('A')).map(({ type }) => type)).toEqual(['4', '3']);
    expect(await realm.redis.smembers(realm.keys.roomsOf('A' as IncarnationId))).toContain(fight);
    await emitter.leave({ rooms: [fight] }, [fight]);
    await emitter.disconnect({ rooms: [roomOf.user('u' as UserId)] }, { code: 'auth/banned', message: 'You are banned.' });
    expect((await realm.inbox('A')).map(({ type }) => type)).toEqual(['4', '3', '5', '6']);
  });

  it('trims inboxes and logs by time', async () => {
    await realm.enter('A', [zone]);
    await realm.redis.config('SET', 'stream-node-max-entries', '1');
    const emitter = emitterOf({ inboxRetentionMs: 200, logWindowMs: 200 });
    const longAgoMs = Date.now() - logRetentionMs(200) - 1_000;
    for (let n = 0; n < 20; n += 1) await realm.redis.xadd(realm.keys.log(zone), `${longAgoMs}-${n}`, 'data', '{}');
    for (let n = 0; n < 20; n += 1) await emitter.emit({ rooms: [zone] }, 'app:x', { n });
    const start = performance.now();
    await eventually(() => performance.now() - start > 300);
    await emitter.emit({ rooms: [zone] }, 'app:x', { n: 20 });
    await realm.redis.config('SET', 'stream-node-max-entries', '100');
    expect((await realm.inbox('A')).length).toBeLessThan(5);
    expect((await realm.log(zone)).map((id) => msOfStreamId(id) > longAgoMs)).not.toContain(false);
    expect(await realm.redis.pttl(realm.keys.log(zone))).toBeLessThanOrEqual(logRetentionMs(200));
  });

  it('emits once per idempotency key and once per number of a lane', async () => {
    await realm.enter('A', [zone]);
    const emitter = emitterOf();
    const first = await emitter.emit({ rooms: [zone] }, 'app:x', { n: 1 }, { idempotencyKey: 'k1' });
    expect(await emitter.emit({ rooms: [zone] }, 'app:x', { n: 1 }, { idempotencyKey: 'k1' })).toEqual({ id: first.id, repeated: true });
    const lane = (seq: number) => emitter.emit({ rooms: [zone] }, 'app:lane', { seq }, { lane: { name: 'combat:1', seq } });
    expect([(await lane(1)).repeated, (await lane(2)).repeated, (await lane(2)).repeated, (await lane(1)).repeated]).toEqual([false, false, true, true]);
    expect(await realm.inbox('A')).toHaveLength(3);
  });

  it('refuses what is no single object, and what is too large, before Redis is asked', async () => {
    const emitter = emitterOf();
    await expect(emitter.emit({ rooms: [zone] }, 'app:x', [1])).rejects.toThrow(TypeError);
    await expect(emitter.emit({ rooms: [zone] }, 'app:x', new Date())).rejects.toThrow(TypeError);
    await expect(emitter.emit({ rooms: [zone] }, 'app:x', { text: 'ä'.repeat(40_000) })).rejects.toThrow(/65536 bytes/);
    await expect(emitter.emit({ rooms: [] }, 'app:x', { n: 1 })).rejects.toThrow(/at least one room/);
  });

  it('bounds what is under way', async () => {
    await realm.enter('A', [zone]);
    const router = new Router({ redis: realm.redis, realm: realm.realm, retryForMs: 0, inFlightMax: 10 });
    const emissions = Array.from({ length: 30 }, (_, n) =>
      router.route({ type: '3', rooms: [zone], data: `{"n":${n},"packet":{"data":[]},"opts":{}}`, logged: false }),
    );
    const outcomes = await Promise.allSettled(emissions);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected' && (outcome.reason as Rejection).code === 'server/busy');
    expect(refused).toHaveLength(20);
    expect(await realm.inbox('A')).toHaveLength(10);
    expect(router.inFlight).toBe(0);
  });
});

describe('an emitter and a troubled Redis', () => {
  it('a cut reply does not double an emission: the key was made before the first send', async () => {
    const realm = await createTestRealm();
    await realm.enter('A', [zone]);
    const port = Number(new URL(services().redisUrl).port);
    await using proxy = await startTcpProxy({ targetPort: port });
    const redis = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'cut', role: 'command' });
    await whenReady(redis);
    const emitter = createEmitter({ redis, realm: realm.realm });
    for (let n = 0; n < 20; n += 1) {
      const emission = emitter.emit({ rooms: [zone] }, 'app:x', { n });
      await eventually(async () => (await realm.inbox('A')).length > n, { intervalMs: 1 });
      proxy.reset();
      await emission;
    }
    expect((await realm.inbox('A')).map(({ data }) => (data as { packet: { data: [string, { n: number }] } }).packet.data[1].n)).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    );
    redis.disconnect();
    realm.close();
  });

  it('waits for a Redis that is away, and gives up with server/unavailable', async () => {
    await using server = await startRedis({ appendOnly: true });
    const realm = await createTestRealm(0);
    const redis = createRedis({ url: server.url, name: 'away', role: 'command' });
    await whenReady(redis);
    await redis.set(realm.keys.epoch, 'test 1000');
    await server.kill();
    const impatient = createEmitter({ redis, realm: realm.realm, retryForMs: 300 });
    await expect(impatient.emit({ rooms: [zone] }, 'app:x', { n: 1 })).rejects.toMatchObject({ code: 'server/unavailable' });
    const patient = createEmitter({ redis, realm: realm.realm, retryForMs: 30_000 }).emit({ rooms: [zone] }, 'app:x', { n: 2 });
    await server.restart();
    expect((await patient).repeated).toBe(false);
    redis.disconnect();
    realm.close();
  }, 60_000);
});

describe('RealtimeService', () => {
  it('reaches the rooms of each kind and answers from one look-up', async () => {
    const realm = await createTestRealm();
    const rooms = { user: roomOf.user('u1' as UserId), guild: roomOf.guild('red' as never), party: roomOf.party('p' as never) };
    await realm.enter('A', [rooms.user, zone, fight, rooms.guild, rooms.party, roomOf.realm]);
    const service = new RealtimeService(createEmitter({ redis: realm.redis, realm: realm.realm }), realm.redis, { role: 'system', audit: async () => {} });
    await service.emitToUser('u1' as UserId, 'app:x', {});
    await service.emitToZone('meadow' as ZoneId, 'app:x', {});
    await service.emitToCombat('fight' as CombatId, 'app:x', {});
    await service.emitToGuild('red' as never, 'app:x', {});
    await service.emitToParty('p' as never, 'app:x', {});
    await service.broadcastToAll('app:x', {});
    await service.disconnectUser('u1' as UserId, 'bye');
    const targets = (await realm.inbox('A')).map(({ data }) => (data as { opts: { rooms: RoomName[] } }).opts.rooms[0]);
    expect(targets).toEqual([rooms.user, zone, fight, rooms.guild, rooms.party, roomOf.realm, rooms.user]);

    expect(await service.isUserOnline('u1' as UserId)).toBe(false);
    const record = (at: number) => JSON.stringify({ v: 1, gateway: 'A', connectedAtMs: at, device: 'pc' });
    await realm.redis.hset(realm.keys.user('u1' as UserId), { s2: record(2), s1: record(1), broken: '{' });
    await realm.redis.hset(realm.keys.roster('meadow' as ZoneId), { c1: '{}', c2: '{}' });
    expect(await service.isUserOnline('u1' as UserId)).toBe(true);
    expect((await service.getUserSockets('u1' as UserId)).map(({ socketId }) => socketId)).toEqual(['s1', 's2']);
    expect(await service.getZonePopulation('meadow' as ZoneId)).toBe(2);
    realm.close();
  });
});
