import type { UserId, ZoneId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join } from './_gateway.ts';
import { changesHeard, startWatchBench, watch, type WatchBench } from './_watch-bench.ts';

let bench: WatchBench;
beforeAll(async () => { bench = await startWatchBench(300); });
afterAll(() => bench[Symbol.asyncDispose]());

const socket = { v: 1, gateway: 'g', connectedAtMs: 1, device: '' };
const entry = { v: 1, userId: 'ghost', rooms: ['guild:red'], zoneKey: '', characterId: '' };
const seated = { ...entry, zoneKey: 'roster', characterId: 'ghost' };

describe.each<[string, unknown, unknown, unknown]>([
  ['no JSON', '{', '{', '{'],
  ['null', null, null, null],
  ['numbers', 5, 5, 5],
  ['a gateway that is none', { ...socket, gateway: 5 }, entry, null],
  ['a time that is none', { ...socket, connectedAtMs: {} }, entry, null],
  ['a seat in no zone', socket, { ...entry, zoneKey: undefined }, null],
  ['a zone that is none', socket, { ...seated, zoneKey: {} }, null],
  ['a seat of nobody', socket, { ...seated, characterId: undefined }, null],
  ['rooms that are none', socket, { ...entry, rooms: [{}, 5, null, 'guild:red'] }, null],
  ['rooms that are no list', socket, { ...entry, rooms: 'guild:red' }, null],
  ['a status of a later version', socket, seated, { v: 2, status: 'dancing' }],
  ['a status that is none', socket, seated, { v: 1, status: {} }],
])('records of %s', (_what, ofUser, ofSocket, ofSeat) => {
  const stored = (record: unknown): string => (record === '{' ? '{' : JSON.stringify(record));

  it('[PRS3] harm nobody else: neither who asks nor who is announced beside them', async () => {
    const { redis, keys } = bench;
    const ghost = 'ghost' as UserId;
    const zoneKey = keys.roster('ghosts' as ZoneId);
    const socketsKey = keys.socketsOf('g' as never);
    using watcher: Client = await join(bench.gateways[0]!, 'p1');
    const mate = await join(bench.gateways[1]!, 'p3');
    expect(await watch(watcher, 'p3')).toEqual({ p3: 'online' });
    await bench.announced('p1', 'p3');
    await redis.hset(keys.user(ghost), 's', stored(ofUser));
    await redis.hset(socketsKey, 's', stored(ofSocket === seated ? { ...seated, zoneKey } : ofSocket));
    await redis.hset(zoneKey, 'ghost', stored(ofSeat));
    await redis.zadd(keys.presenceChanged, 0, ghost);
    expect((await watch(watcher, 'p3', ghost))['p3']).toBe('online');
    mate[Symbol.dispose]();
    await eventually(async () => { expect(await redis.exists(keys.user('p3' as UserId))).toBe(0); });
    // Both are due at once, so that one announcement holds them.
    await redis.zadd(keys.presenceChanged, 0, ghost, 0, 'p3');
    await eventually(() => { expect(changesHeard(watcher)).toContain('p3 offline'); }, { timeoutMs: 5_000 });
    await redis.del(keys.user(ghost), socketsKey, zoneKey);
    await redis.zadd(keys.presenceChanged, 0, ghost);
    await bench.announced('p1');
  });
});
