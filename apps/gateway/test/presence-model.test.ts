import type { UserId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { startRedis } from '@skirmish/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differences } from './_presence-truth.ts';
import { emittedRooms, history } from './_presence-happenings.ts';
import { PresenceWorld } from './_presence-world.ts';

/** Histories at a time, each in a realm and on a Redis of its own, and how many of each. */
const lanes = 3;
const runsPerLane = 4;

describe('presence', () => {
  it('is true in Redis, in the answers and in memory after every history of clients, gateways and outages', async () => {
    const ended = await Promise.allSettled(Array.from({ length: lanes }, async () => {
      await using server = await startRedis();
      await fc.assert(fc.asyncProperty(history, async (rounds) => {
        await using world = await PresenceWorld.start(server);
        for (const round of rounds) await world.play(round);
      }), { numRuns: runsPerLane, endOnFailure: true });
    }));
    for (const each of ended) if (each.status === 'rejected') throw each.reason;
  }, 300_000);

  it('that is not true is seen: each planted lie, and nothing once it is taken back', async () => {
    await using server = await startRedis();
    await using world = await PresenceWorld.start(server);
    await world.play([0, 1, 2].flatMap((user) => [0, 1].map((each) => ({ what: 'connect', afterMs: 0, user, slot: user + each, rooms: [user, user + 1], zone: 0, waits: true }) as const)));
    const { redis, emitter } = world;
    const keys = keysOf(emitter.realm);
    const [{ transport, nsp } = never()] = world.living;
    const [{ truth: { socketId, userId } } = never()] = world.clients;
    const [party = never()] = emittedRooms;
    const here = transport.incarnation();
    const ghost = 'ghost' as typeof here;
    const roster = keys.roster('meadow' as ZoneId);
    const seat = { v: 1, incarnation: here, socketId: 'gone', status: 'online' };
    const registered = { v: 1, userKey: keys.user(userId), zoneKey: '', characterId: `c-${userId}` };
    const lies: [name: string, key: string, plant: (key: string) => Promise<unknown>][] = [
      ['a seat that nobody left', roster, (key) => redis.hset(key, 'c-ghost', JSON.stringify(seat))],
      ['a seat that was lost', roster, (key) => redis.hdel(key, `c-${userId}`)],
      ['a seat of a socket that is gone', roster, (key) => redis.hset(key, `c-${userId}`, JSON.stringify(seat))],
      ['a room that is not in the reverse index', keys.roomsOf(here), (key) => redis.srem(key, roomOf.realm)],
      ['a room that lingers', keys.room(roomOf.party('old' as never)), (key) => redis.sadd(key, here)],
      ['a room of which the router does not know', keys.room(roomOf.realm), (key) => redis.srem(key, here)],
      ['a socket that no sweep has found', keys.socketsOf(ghost), (key) => redis.hset(key, 'gone', JSON.stringify(registered))],
      ['a user who is still online', keys.user('late' as UserId), (key) => redis.hset(key, 'gone', JSON.stringify({ v: 1, gateway: here, connectedAtMs: 1, device: '' }))],
      ['a socket that was registered twice', keys.user(userId), (key) => redis.hset(key, 'again', JSON.stringify({ v: 1, gateway: here, connectedAtMs: 1, device: '' }))],
      ['a gateway that is gone', keys.gateways, (key) => redis.hset(key, ghost, '{}')],
      ['a key of an unknown kind', `${keys.prefix}unknown`, (key) => redis.set(key, '1')],
    ];
    for (const [name, key, plant] of lies) {
      const before = (await redis.exists(key)) === 1 ? await redis.dumpBuffer(key) : null;
      await plant(key);
      expect(await differences(redis, emitter, world.truth()), name).not.toEqual([]);
      await (before ? redis.restore(key, 0, before, 'REPLACE') : redis.del(key));
      expect(await differences(redis, emitter, world.truth()), `after ${name}`).toEqual([]);
    }
    const intruded = [...nsp.sockets.keys()].find((id) => !nsp.adapter.rooms.get(party)?.has(id)) ?? socketId;
    void nsp.adapter.addAll(intruded, new Set([party]));
    expect(await differences(redis, emitter, world.truth())).not.toEqual([]);
    await expect(world.probe()).rejects.toThrow(/heard/);
  });
});

function never(): never {
  throw new Error('it was there a moment ago');
}
