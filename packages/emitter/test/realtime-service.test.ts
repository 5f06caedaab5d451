import type { CombatId, GuildId, PartyId, UserId, ZoneId } from '@skirmish/protocol';
import { Rejection, roomOf } from '@skirmish/protocol';
import { createRedis } from '@skirmish/redis';
import { eventually, freePort, services } from '@skirmish/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RealtimeServiceOptions, ServiceAction } from '../src/index.ts';
import { createEmitter, RealtimeService } from '../src/index.ts';
import type { TestRealm } from './_realm.ts';
import { createTestRealm } from './_realm.ts';

const user = 'auth0|x' as UserId;
const zone = 'meadow' as ZoneId;
let realm: TestRealm;
let actions: ServiceAction[];
beforeEach(async () => {
  realm = await createTestRealm();
  actions = [];
});
afterEach(() => { realm.close(); });

const serviceOf = (options: RealtimeServiceOptions = {}): RealtimeService =>
  new RealtimeService(createEmitter({ redis: realm.redis, realm: realm.realm, retryForMs: 200 }), realm.redis, options);
const audit = async (action: ServiceAction): Promise<void> => { actions.push(action); };
const system = (): RealtimeService => serviceOf({ role: 'system', audit });
const refusal = (work: Promise<unknown>) => work.then(() => null, (error: unknown) => (error instanceof Rejection ? error.toRefusal() : error));

async function listen(...channels: string[]): Promise<{ heard: { channel: string; body: unknown }[]; close(): void }> {
  const subscriber = createRedis({ url: services().redisUrl, name: 'emitter-test-listener', role: 'subscriber' });
  const heard: { channel: string; body: unknown }[] = [];
  subscriber.on('message', (channel: string, text: string) => { heard.push({ channel, body: JSON.parse(text) }); });
  await subscriber.subscribe(...channels);
  return { heard, close: () => { subscriber.disconnect(); } };
}

describe('what a backend may send', () => {
  it.each([
    ['a name that is none', 'gift', {}, 'event/unknown'],
    ['a name that is too long', `app:${'x'.repeat(61)}`, {}, 'event/unknown'],
    ['a built-in event', 'moderation:sanctioned', { kind: 'warned', reason: 'x' }, 'auth/forbidden'],
    ['a list', 'app:x', [], 'payload/invalid'],
    ['null', 'app:x', null, 'payload/invalid'],
    ['a text', 'app:x', 'text', 'payload/invalid'],
    ['nothing', 'app:x', undefined, 'payload/invalid'],
    ['a BigInt', 'app:x', { n: 1n }, 'payload/invalid'],
    ['what becomes a text', 'app:x', new Date(), 'payload/invalid'],
    ['32 KiB and one byte', 'app:x', { t: 'x'.repeat(32 * 1024 - 7) }, 'payload/too-large'],
    ['32 KiB of few characters', 'app:x', { t: '€'.repeat(11_000) }, 'payload/too-large'],
  ])('%s is refused', async (_what, event, payload, code) => {
    await realm.enter('A', [roomOf.user(user)]);
    expect(await refusal(serviceOf({ audit }).emitToUser(user, event as 'app:x', payload as object))).toMatchObject({ code });
    expect(actions).toEqual([]);
    expect(await realm.inbox('A')).toEqual([]);
  });

  it('32 KiB are not, nor 64 levels; a cycle and 65 levels are', async () => {
    const nested = (levels: number): object => Array.from({ length: levels - 1 }).reduce<object>((inner) => ({ a: inner }), {});
    const cycle: { self?: object } = {};
    cycle.self = cycle;
    await serviceOf().emitToUser(user, 'app:x', { t: 'x'.repeat(32 * 1024 - 8) });
    await serviceOf().emitToUser(user, 'app:x', nested(64));
    expect(await refusal(serviceOf().emitToUser(user, 'app:x', nested(65)))).toMatchObject({ code: 'payload/invalid', path: 'payload' });
    expect(await refusal(serviceOf().emitToUser(user, 'app:x', nested(100_000)))).toMatchObject({ code: 'payload/invalid' });
    expect(await refusal(serviceOf().emitToUser(user, 'app:x', cycle))).toMatchObject({ code: 'payload/invalid' });
  });

  it('whatever is sent, the error is of the catalogue', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.anything({ withBigInt: true, withNullPrototype: true }), fc.anything(), async (name, payload, carriedAs) => {
        const outcome = await refusal(system().emitToUser(user, (name.length % 2 ? `app:${name}` : name) as 'app:x', payload as object, { class: carriedAs as 'critical' }));
        expect(outcome === null || (typeof outcome === 'object' && 'code' in outcome)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('the role system sends built-in events by their schema and in their class', async () => {
    await realm.enter('A', [roomOf.user(user)]);
    await system().emitToUser(user, 'moderation:sanctioned', { kind: 'warned', reason: 'x', secret: 1 });
    expect((await realm.inbox('A'))[0]?.data).toMatchObject({ packet: { data: ['moderation:sanctioned', { kind: 'warned', reason: 'x' }] } });
    expect(JSON.stringify(await realm.inbox('A'))).not.toContain('secret');
    expect(await refusal(system().emitToUser(user, 'moderation:sanctioned', { kind: 'warned' }))).toMatchObject({ code: 'payload/invalid', path: 'payload.reason' });
    expect(await refusal(system().emitToUser(user, 'moderation:sanctioned', { kind: 'warned', reason: 'x' }, { class: 'ephemeral' }))).toMatchObject({ path: 'class' });
    expect(await refusal(system().emitToUser(user, 'session:closed', { code: 'auth/banned', message: 'x' }))).toMatchObject({ path: 'class' });
    expect(await refusal(system().emitToUser(user, 'party:data', { from: user, kind: 'x', bytes: new Uint8Array(1) }))).toMatchObject({ code: 'payload/invalid' });
  });

  it('an id that passed no schema is refused', async () => {
    expect(await refusal(serviceOf().emitToZone('a b' as ZoneId, 'app:x', {}))).toMatchObject({ code: 'payload/invalid', path: 'to' });
    expect(await refusal(serviceOf().emitToUser('' as UserId, 'app:x', {}))).toMatchObject({ code: 'payload/invalid', path: 'to' });
    expect(await refusal(serviceOf().disconnectUser('' as UserId, 'x'))).toMatchObject({ code: 'payload/invalid' });
  });
});

describe('once', () => {
  it('per key and service; no key of a backend is one of a worker', async () => {
    const emitter = createEmitter({ redis: realm.redis, realm: realm.realm });
    await emitter.emit({ rooms: [roomOf.user(user)] }, 'app:x', {}, { idempotencyKey: 'k' });
    const outcomes = [];
    for (const scope of ['a', 'a', 'b', 'b']) outcomes.push((await serviceOf({ scope }).emitToUser(user, 'app:x', {}, { idempotencyKey: 'k' })).outcome);
    expect(outcomes).toEqual(['emitted', 'repeated', 'emitted', 'repeated']);
    expect(await refusal(serviceOf().emitToUser(user, 'app:x', {}, { idempotencyKey: '' }))).toMatchObject({ path: 'idempotencyKey' });
  });
});

describe('an ephemeral event', () => {
  it('goes over the channel of the room, once per key, and is kept nowhere', async () => {
    const rooms = [roomOf.user(user), roomOf.zone(zone), roomOf.combat('f' as CombatId), roomOf.guild('red' as GuildId), roomOf.party('p' as PartyId)];
    await realm.enter('A', rooms);
    const { heard, close } = await listen(...rooms.map((room) => realm.keys.volatile(room)));
    const how = { class: 'ephemeral', idempotencyKey: 'k' } as const;
    const service = serviceOf({ audit });
    expect(await service.emitToUser(user, 'app:x', { n: 1 }, how)).toMatchObject({ outcome: 'emitted', id: expect.stringContaining('ephemeral-') });
    expect(await service.emitToUser(user, 'app:x', { n: 1 }, how)).toMatchObject({ outcome: 'repeated' });
    await service.emitToZone(zone, 'app:x', { n: 2 }, { class: 'ephemeral' });
    await service.emitToCombat('f' as CombatId, 'app:x', { n: 3 }, { class: 'ephemeral' });
    await service.emitToGuild('red' as GuildId, 'app:x', { n: 4 }, { class: 'ephemeral' });
    await service.emitToParty('p' as PartyId, 'app:x', { n: 5 }, { class: 'ephemeral' });
    await eventually(() => heard.length === 5);
    expect(heard).toEqual(rooms.map((room, index) => ({
      channel: realm.keys.volatile(room), body: { v: 1, kind: 'event', event: 'app:x', payload: { n: index + 1 }, exceptRooms: [] },
    })));
    expect(await realm.inbox('A')).toEqual([]);
    expect(await realm.redis.keys(`${realm.keys.prefix}log:*`)).toEqual([]);
    expect(actions).toHaveLength(6);
    close();
  });
});

describe('a broadcast to everybody', () => {
  it('needs the role system and an audit', async () => {
    for (const service of [serviceOf(), serviceOf({ audit }), serviceOf({ role: 'system' })]) {
      expect(await refusal(service.broadcastToAll('app:x', {}))).toMatchObject({ code: 'auth/forbidden' });
    }
    expect(actions).toEqual([]);
  });

  it('happens once in 10 s, whoever asks; a repetition under the same key is answered', async () => {
    await realm.enter('A', [roomOf.realm]);
    const first = await system().broadcastToAll('app:x', { n: 1 }, { idempotencyKey: 'k' });
    const refused = await refusal(system().broadcastToAll('app:x', { n: 2 }));
    expect(refused).toMatchObject({ code: 'rate/limited', retryAfterMs: expect.any(Number) });
    const { retryAfterMs } = refused as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(5_000);
    expect(retryAfterMs).toBeLessThanOrEqual(10_000);
    expect(await system().broadcastToAll('app:x', { n: 1 }, { idempotencyKey: 'k' })).toEqual({ id: first.id, outcome: 'repeated' });
    expect((await realm.inbox('A')).map(({ data }) => (data as { packet: { data: unknown[] } }).packet.data[1])).toEqual([{ n: 1 }]);
    expect(actions.map(({ action, target }) => [action, target])).toEqual([['broadcast', 'realm'], ['broadcast', 'realm']]);
    // Ten seconds later.
    await realm.redis.del(realm.keys.limit('broadcast'));
    expect(await system().broadcastToAll('app:x', { n: 1 }, { idempotencyKey: 'k' })).toEqual({ id: first.id, outcome: 'repeated' });
    expect((await system().broadcastToAll('app:x', { n: 3 })).outcome).toBe('emitted');
  });

  it('of twenty at once one wins', async () => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => refusal(system().broadcastToAll('app:x', { n }))));
    expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(1);
  });

  it('that the audit does not take does not happen', async () => {
    await realm.enter('A', [roomOf.realm, roomOf.user(user)]);
    const service = serviceOf({ role: 'system', audit: () => Promise.reject(new Error('no space')) });
    expect(await refusal(service.broadcastToAll('app:x', {}))).toMatchObject({ code: 'server/unavailable' });
    expect(await refusal(service.emitToUser(user, 'app:x', {}))).toMatchObject({ code: 'server/unavailable' });
    expect(await refusal(service.disconnectUser(user, 'x'))).toMatchObject({ code: 'server/unavailable' });
    expect(await realm.inbox('A')).toEqual([]);
  });

  it('may be ephemeral, over the channel of the realm', async () => {
    const { heard, close } = await listen(realm.keys.volatile(roomOf.realm));
    await system().broadcastToAll('app:x', { n: 1 }, { class: 'ephemeral' });
    await eventually(() => heard.length === 1);
    expect(heard[0]?.body).toEqual({ packet: { type: 2, nsp: `/realm/${realm.realm}`, data: ['app:x', { n: 1 }] }, rooms: ['realm'], except: [] });
    close();
  });
});

describe('disconnecting a user', () => {
  it('deletes what could be resumed, of this user only, before the sockets are closed', async () => {
    const { redis, keys } = realm;
    await realm.enter('A', [roomOf.user(user)]);
    for (const [owner, pid] of [[user, 'pid-1'], [user, 'pid-2'], ['other', 'pid-3']] as const) {
      await redis.set(keys.session(pid), '{}');
      await redis.sadd(keys.sessionsOf(owner as UserId), pid);
    }
    await redis.sadd(keys.sessionsOf(user), 'expired');
    expect(await serviceOf({ audit }).disconnectUser(user, 'maintenance')).toEqual({ id: expect.stringMatching(/^\d+-\d+$/), sessions: 2 });
    expect(await redis.exists(keys.session('pid-1'), keys.session('pid-2'), keys.sessionsOf(user))).toBe(0);
    expect(await redis.exists(keys.session('pid-3'), keys.sessionsOf('other' as UserId))).toBe(2);
    const reason = { code: 'session/disconnected', message: 'maintenance' };
    expect(await realm.inbox('A')).toMatchObject([{ type: '6', data: { close: true, reason, opts: { rooms: [roomOf.user(user)] } } }]);
    expect(actions).toEqual([{ action: 'user.disconnect', target: roomOf.user(user), details: { reason: 'maintenance' } }]);
  });

  it.each(['', 'x'.repeat(501), '\u0000', '\ud800'])('takes no reason that nobody can be told (%j)', async (reason) => {
    expect(await refusal(serviceOf().disconnectUser(user, reason))).toMatchObject({ code: 'payload/invalid', path: 'reason' });
  });
});

describe('the members of a room', () => {
  it('come in pages, all of them, each once on its page', async () => {
    const { redis, keys } = realm;
    const members = Array.from({ length: 1_000 }, (_, n) => ({ v: 1, userId: `u${n % 900}`, characterId: n % 2 ? `c${n % 900}` : null }));
    await redis.hset(keys.members(roomOf.zone(zone)), Object.fromEntries(members.map((member, n) => [`socket-${n}`, JSON.stringify(member)])));
    await redis.hset(keys.members(roomOf.zone(zone)), { broken: '{', empty: '{}' });
    const found: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null; ; pages += 1) {
      const page = await serviceOf().getRoomMembers(roomOf.zone(zone), cursor);
      const names = page.members.map(({ userId, characterId }) => `${userId} ${characterId ?? ''}`);
      expect(new Set(names).size).toBe(names.length);
      found.push(...names);
      cursor = page.cursor;
      if (cursor === null) break;
    }
    expect(pages).toBeGreaterThan(2);
    expect(new Set(found)).toEqual(new Set(members.map(({ userId, characterId }) => `${userId} ${characterId ?? ''}`)));
  });

  it('of an empty room are none, of a user the user, of what is no room a refusal', async () => {
    expect(await serviceOf().getRoomMembers(roomOf.zone(zone))).toEqual({ members: [], cursor: null });
    expect(await serviceOf().getRoomMembers(roomOf.user(user))).toEqual({ members: [], cursor: null });
    await realm.redis.hset(realm.keys.user(user), 's', '{}');
    expect(await serviceOf().getRoomMembers(roomOf.user(user))).toEqual({ members: [{ userId: user, characterId: null }], cursor: null });
    for (const name of ['AbCd', '', 'user:auth0|x', '__proto__', 'zone:', `zone:${'x'.repeat(65)}`]) {
      expect(await refusal(serviceOf().getRoomMembers(name))).toMatchObject({ code: 'room/not-found' });
    }
    for (const cursor of ['', 'x', '-1', '1'.repeat(21), '9'.repeat(20)]) {
      expect(await refusal(serviceOf().getRoomMembers(roomOf.zone(zone), cursor))).toMatchObject({ code: 'payload/invalid', path: 'cursor' });
    }
  });
});

describe('without Redis', () => {
  it('every method is refused with server/unavailable', async () => {
    const redis = createRedis({ url: `redis://127.0.0.1:${await freePort()}`, name: 'nowhere', role: 'command' });
    const emitter = createEmitter({ redis, realm: realm.realm, retryForMs: 100 });
    const service = new RealtimeService(emitter, redis, { role: 'system', audit, mailbox: { put: () => Promise.reject(new Error()), deliver: async () => 0 } });
    const calls = [
      service.emitToUser(user, 'app:x', {}), service.emitToUser(user, 'app:x', {}, { ifOffline: 'mailbox' }), service.emitToZone(zone, 'app:x', {}, { class: 'ephemeral' }),
      service.broadcastToAll('app:x', {}), service.getUserSockets(user), service.isUserOnline(user), service.getZonePopulation(zone), service.getRoomMembers('realm'),
      service.disconnectUser(user, 'x'),
    ];
    for (const call of await Promise.all(calls.map(refusal))) expect(call).toMatchObject({ code: 'server/unavailable', retry: 'later' });
    redis.disconnect();
  });
});
