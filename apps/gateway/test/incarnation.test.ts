import type { IncarnationId, RealmId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, services, timePasses, uniqueRealm } from '@skirmish/testing';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GapReason } from '../src/cluster/incarnation.ts';
import { Incarnation } from '../src/cluster/incarnation.ts';

const intervalMs = 60_000;

describe('an incarnation in the registry', () => {
  const redis = createRedis({ url: services().redisUrl, name: 'incarnation-test', role: 'command' });
  let realm: RealmId;
  let living: Incarnation[];

  const incarnationOf = (gaps: (GapReason | null)[] = [], renewIntervalMs = intervalMs, positionOf = () => '0-0', revision = 0): Incarnation => {
    const incarnation = new Incarnation({
      redis, keys: keysOf(realm), address: '127.0.0.1:1', version: '1', renewIntervalMs, condemnAfterTicks: 3, epochGraceMs: 0, inboxRetentionMs: 60_000,
      position: positionOf, revision: () => revision, sockets: () => 0, draining: () => false,
      onLost: (gap) => { gaps.push(gap); },
      onRegistered: () => undefined,
      onGap: (reason) => { gaps.push(reason); },
      onCondemned: () => undefined,
      onError: (error) => { throw error; },
    });
    living.push(incarnation);
    return incarnation;
  };

  beforeEach(async () => {
    await whenReady(redis);
    realm = uniqueRealm() as RealmId;
    living = [];
  });
  afterAll(() => {
    redis.disconnect();
  });
  afterEach(async () => {
    await Promise.all(living.map((incarnation) => incarnation.stop()));
  });

  it('condemns another one that does not renew for three of its own renewals, and removes all that it had', async () => {
    const keys = keysOf(realm);
    const dead = incarnationOf();
    await dead.start();
    await redis.sadd(keys.roomsOf(dead.id), ...Array.from({ length: 450 }, (_, n) => `party:${n}`));
    await redis.sadd(keys.room('party:449' as never), dead.id, 'somebody-else');
    const reaper = incarnationOf([], 300);
    await reaper.start();
    await eventually(async () => !(await redis.hexists(keys.gateways, dead.id)), { timeoutMs: 20_000 });
    await eventually(async () => (await redis.exists(keys.roomsOf(dead.id), keys.inbox(dead.id), keys.condemned)) === 0);
    expect(await redis.smembers(keys.room('party:449' as never))).toEqual(['somebody-else']);
    expect(await redis.hkeys(keys.gateways)).toEqual([reaper.id]);
  });

  it('condemns nobody while its own contact with Redis has breaks, however often it sees the other stand still', async () => {
    const keys = keysOf(realm);
    const other = incarnationOf();
    await other.start();
    const reaper = incarnationOf([], 100);
    // A timer of its own would renew in time: start only registers and renews once, the rest is by hand and too late.
    await reaper.start();
    reaper.rest();
    for (let n = 0; n < 6; n += 1) {
      await timePasses(200, 'a break in the contact');
      await reaper.renew();
    }
    expect(await redis.hexists(keys.gateways, other.id)).toBe(1);
  });

  it('condemns nobody before three intervals have passed, however often it renews meanwhile because others announce themselves', async () => {
    const keys = keysOf(realm);
    const dead = incarnationOf();
    await dead.start();
    const reaper = incarnationOf([], 400);
    // Before it can have seen anything.
    const startedAt = performance.now();
    await reaper.start();
    reaper.rest();
    await eventually(async () => {
      // Often enough for an unbroken contact, and twice as often as by itself.
      await timePasses(210, 'half an interval');
      await reaper.renew();
      return !(await redis.hexists(keys.gateways, dead.id));
    }, { timeoutMs: 30_000, what: 'the silent one to be condemned' });
    expect(performance.now() - startedAt).toBeGreaterThan(3 * 400 * 0.9);
  });

  it('notices an empty data set, a lost registration, lost writes and a data set that is older than what it has delivered', async () => {
    const keys = keysOf(realm);
    const gaps: (GapReason | null)[] = [];
    let position = '0-0';
    const first = incarnationOf(gaps, intervalMs, () => position, 7);
    const neighbourGaps: (GapReason | null)[] = [];
    const neighbour = incarnationOf(neighbourGaps);
    await first.start();
    await neighbour.start();
    expect(gaps).toEqual([null]);

    await redis.del(keys.epoch);
    await first.renew();
    expect(gaps.at(-1)).toBe('epoch');
    await neighbour.renew();
    expect(neighbourGaps.at(-1)).toBe('epoch');

    const before = first.id;
    await redis.hdel(keys.gateways, before);
    await first.renew();
    expect(gaps.at(-1)).toBe('condemned');
    expect(first.id).not.toBe(before);

    await redis.hset(keys.revisions, first.id, 6);
    await first.renew();
    expect(gaps.at(-1)).toBe('revision');

    await redis.sadd(keys.gapped, first.id);
    await first.renew();
    expect(gaps.at(-1)).toBe('gapped');

    position = `${Date.now() + 1_000_000}-3`;
    neighbourGaps.length = 0;
    await first.renew();
    expect(gaps.at(-1)).toBe('epoch');
    expect(await redis.hmget(keys.clock, 'ms')).toEqual([position.split('-')[0]]);
    await neighbour.renew();
    expect(neighbourGaps).toEqual(['epoch']);
    expect(gaps).toHaveLength(6);
  });

  it('finishes the sweep that a reaper left undone', async () => {
    const keys = keysOf(realm);
    const gone = 'gone' as IncarnationId;
    await redis.sadd(keys.condemned, gone);
    await redis.sadd(keys.roomsOf(gone), 'party:x');
    await redis.sadd(keys.room('party:x' as never), gone);
    await redis.hset(keys.socketsOf(gone), 's1', JSON.stringify({ v: 1, userKey: keys.user('u' as never), zoneKey: keys.roster('meadow' as never), characterId: 'c1' }));
    await redis.hset(keys.user('u' as never), { s1: '{}', s2: '{}' });
    await redis.hset(keys.roster('meadow' as never), { c1: JSON.stringify({ socketId: 's1' }), c2: JSON.stringify({ socketId: 's2' }) });
    await incarnationOf().start();
    await eventually(async () => (await redis.exists(keys.condemned, keys.roomsOf(gone), keys.room('party:x' as never), keys.socketsOf(gone))) === 0);
    expect(await redis.hkeys(keys.user('u' as never))).toEqual(['s2']);
    expect(await redis.hkeys(keys.roster('meadow' as never))).toEqual(['c2']);
  });
});
