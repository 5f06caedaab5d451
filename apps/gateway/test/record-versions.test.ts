import { createEmitter, parseUserSocket } from '@skirmish/emitter';
import { namespaceOf, roomOf } from '@skirmish/protocol';
import type { CombatId, RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { createLaneProducer, createLaneWorker, readDeadCommands } from '@skirmish/queue';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';
import { eventually, services, timePasses, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BareGateway } from './_bare-gateway.ts';
import { joinAs, startBareGateway } from './_bare-gateway.ts';

/** Gateways and workers of two versions run side by side while a new one is rolled out: N reads N−1 and N+1, and N+2 harms nobody. */
const room = roomOf.combat('versions' as CombatId);
const zone = 'meadow' as ZoneId;
const unknown = { someday: { nested: [1, 'x'] } };
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

let redis: Redis;
let realm: RealmId;
let keys: ReturnType<typeof keysOf>;
let gateway: BareGateway;
beforeAll(async () => {
  redis = createRedis({ url: services().redisUrl, name: 'test', role: 'command' });
  await whenReady(redis);
  realm = uniqueRealm() as RealmId;
  keys = keysOf(realm);
  gateway = await startBareGateway(services().redisUrl, realm);
});
afterAll(async () => {
  await gateway.stop();
  redis.disconnect();
});

describe('entries of an inbox', () => {
  it.each([
    ['of the time before versions', [], true],
    ['of version 1', ['v', '1'], true],
    ['of version 2 with unknown fields', ['v', '2', 'trace', 'abc', 'someday', '{}'], true],
    ['of version 3', ['v', '3'], false],
  ])('%s', async (what, version, used) => {
    const player = await joinAs(gateway.url, `inbox-${what}`, [room]);
    const invalid = async (): Promise<number> => Number(/transport_invalid_entry_total\{[^}]*\} (\d+)/.exec(await gateway.metrics.render())?.[1] ?? 0);
    const before = await invalid();
    const packet = { type: 2, data: ['app:version', { what }], nsp: namespaceOf(realm) };
    const data = JSON.stringify({ packet, opts: { rooms: [room], except: [], flags: {}, ...unknown }, ...unknown });
    await redis.xadd(keys.inbox(gateway.transport.incarnation()), '*', ...version, 'uid', 'emitter', 'nsp', namespaceOf(realm), 'type', '3', 'data', data);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    // The id of a foreign entry may be ahead of the clock: the emission that meets it is a gap at most once, the next one is not.
    await emitter.emit({ rooms: [room] }, 'app:after', { what });
    await eventually(() => player.received.some(({ event, payload }) => event === 'app:after' && payload['what'] === what) || player.welcomes > 1, { what: 'what comes after it' });
    await eventually(() => player.welcomes > 1 || player.received.some(({ event, payload }) => event === 'app:version' && payload['what'] === what) === used);
    expect((await invalid()) - before).toBe(used ? 0 : 1);
    player.close();
  });
});

describe('records of another version in the registry', () => {
  it('are neighbours like all others: known by their address while they renew, condemned when they do not', async () => {
    const later = { v: 2, address: '10.0.0.9:1', renewedAtMs: Date.now(), renewals: 1, complete: 1, position: '1-0', sockets: 3, version: '9', draining: 0, ...unknown };
    await redis.hset(keys.gateways, 'later-one', JSON.stringify(later), 'damaged', '{');
    for (let renewals = 2; renewals < 12; renewals += 1) {
      await redis.hset(keys.gateways, 'later-one', JSON.stringify({ ...later, renewals }));
      await timePasses(150, 'the pace at which it renews');
    }
    expect(await redis.hexists(keys.gateways, 'later-one')).toBe(1);
    expect(gateway.transport.addressOf('later-one')).toBe('10.0.0.9:1');
    await eventually(async () => !(await redis.hexists(keys.gateways, 'later-one')), { timeoutMs: 10_000, what: 'one that does not renew to be condemned' });
    expect(gateway.transport.check().ok).toBe(true);
    await redis.hdel(keys.gateways, 'damaged');
  });

  it('of ours have everything that version 1 promises', async () => {
    const own = JSON.parse((await redis.hget(keys.gateways, gateway.transport.incarnation())) ?? '{}') as object;
    expect(own).toMatchObject({
      v: 1, address: expect.any(String), renewedAtMs: expect.any(Number), renewals: expect.any(Number), complete: 1, position: expect.any(String),
      sockets: expect.any(Number), version: expect.any(String), draining: 0,
    });
  });
});

describe('records of users and seats', () => {
  it.each([
    ['version 1', { v: 1, gateway: 'g', connectedAtMs: 5, device: 'phone' }, { socketId: 's', gateway: 'g', connectedAtMs: 5, device: 'phone' }],
    ['version 2 with unknown fields', { v: 2, gateway: 'g', connectedAtMs: 5, device: 'phone', ...unknown }, { socketId: 's', gateway: 'g', connectedAtMs: 5, device: 'phone' }],
    ['a version without devices', { gateway: 'g', connectedAtMs: 5 }, { socketId: 's', gateway: 'g', connectedAtMs: 5, device: '' }],
    ['another shape', { v: 3, where: 'g' }, null],
  ])('of %s are read as far as they can be', (_what, record, socket) => {
    expect(parseUserSocket('s', JSON.stringify(record))).toEqual(socket);
  });

  it('of another version do not disturb a connect, a crowd, a seat or a disconnect of the same user', async () => {
    const user = 'crowd' as UserId;
    for (let n = 0; n < 5; n += 1) await redis.hset(keys.user(user), `later-${n}`, JSON.stringify({ v: 2, gateway: 'later', connectedAtMs: n + 1, device: 'd', ...unknown }));
    await redis.hset(keys.roster(zone), 'c-other', JSON.stringify({ v: 2, incarnation: 'later', socketId: 'later-0', status: 'dancing', ...unknown }));
    await redis.hset(keys.roster(zone), `c-${user}`, JSON.stringify({ v: 2, incarnation: 'later', socketId: 'later-0', status: 'dancing', ...unknown }));
    const player = await joinAs(gateway.url, user, [room], zone);
    expect(await redis.hlen(keys.roster(zone))).toBe(2);
    expect(JSON.parse((await redis.hget(keys.roster(zone), `c-${user}`)) ?? '{}')).toMatchObject({ v: 1, socketId: player.socket.id });
    expect(parseUserSocket('s', (await redis.hget(keys.user(user), player.socket.id ?? '')) ?? '')).toMatchObject({ gateway: gateway.transport.incarnation() });
    const { id } = player.socket;
    player.close();
    await eventually(async () => (await redis.hexists(keys.user(user), id ?? '')) === 0);
    expect(await redis.hexists(keys.roster(zone), 'c-other')).toBe(1);
    await redis.del(keys.user(user), keys.roster(zone));
  });
});

describe('records of sessions', () => {
  it.each([
    ['without a version', { v: undefined }, true],
    ['of version 2 with unknown fields', { v: 2, ...unknown }, true],
    ['of version 3', { v: 3 }, false],
  ])('%s', async (what, change, recovered) => {
    const player = await joinAs(gateway.url, `session-${what.replaceAll(' ', '-')}`, [room]);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    await emitter.emit({ rooms: [room] }, 'app:before', { what });
    await eventually(() => player.received.some(({ payload }) => payload['what'] === what));
    const key = keys.session((player.socket as unknown as { _pid: string })._pid);
    const { id = '' } = player.socket;
    // It stays away until its record is another one.
    player.socket.io.reconnection(false);
    player.socket.io.engine.close();
    await eventually(async () => (await redis.hexists(keys.socketsOf(gateway.transport.incarnation()), id)) === 0);
    const record = JSON.parse((await redis.get(key)) ?? '{}') as object;
    expect(record).toMatchObject({ v: 1, userKey: expect.any(String), socketId: expect.any(String), rooms: expect.any(Object), asOf: expect.any(String) });
    await redis.set(key, JSON.stringify({ ...record, ...change }), 'KEEPTTL');
    await emitter.emit({ rooms: [room] }, 'app:meanwhile', { what });
    player.socket.io.reconnection(true);
    player.socket.connect();
    await eventually(() => player.welcomes === 2, { timeoutMs: 10_000, what: 'the client to come back' });
    expect(player.socket.recovered).toBe(recovered);
    if (recovered) await eventually(() => player.received.some(({ event }) => event === 'app:meanwhile'));
    player.close();
  });
});

describe('records of lanes', () => {
  it.each([
    ['version 0', { v: 0 }, 'stepped'],
    ['version 2 with unknown fields', { v: 2, ...unknown }, 'stepped'],
    ['version 3', { v: 3 }, 'dead'],
  ] as const)('of %s: %o', async (what, change, end) => {
    const key = `lane-${change.v}`;
    const producer = createLaneProducer({ redis, realm, queue: 'combat' });
    const push = (turn: number) => producer.push({ key, kind: 'combat.timeout', body: { combatId: key as CombatId, turn } });
    await push(1);
    const record = JSON.parse((await redis.lindex(keys.lane('combat', key), 0)) ?? '{}') as object;
    expect(record).toMatchObject({ v: 1, kind: 'combat.timeout', key, body: { turn: 1 }, position: expect.any(Number), pushedAtMs: expect.any(Number) });
    await redis.lset(keys.lane('combat', key), 0, JSON.stringify({ ...record, ...change }));
    await push(2);
    const turns: number[] = [];
    const worker = createLaneWorker({
      redisUrl: services().redisUrl, realm, queue: 'combat', concurrency: 1, logger: silent, isInfrastructureError: () => false,
      step: ({ body }) => { turns.push((body as { turn: number }).turn); return Promise.resolve(); },
    });
    await eventually(() => turns.includes(2), { timeoutMs: 15_000, what: `what comes after ${what}` });
    const dead = (await readDeadCommands({ redis, realm, queue: 'combat', limit: 10 })).filter((command) => command.key === key);
    expect({ turns, dead: dead.map(({ reason }) => reason) }).toEqual(end === 'stepped' ? { turns: [1, 2], dead: [] } : { turns: [2], dead: ['unreadable'] });
    await worker.close();
    await producer.close();
  }, 30_000);
});
