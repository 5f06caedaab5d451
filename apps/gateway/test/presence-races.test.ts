import { createEmitter } from '@skirmish/emitter';
import type { PartyId, RealmId, RoomName, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, services, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { joinAs, startBareGateway } from './_bare-gateway.ts';

/** Interleavings of presence that once told something untrue, or might. */
describe('races of presence', () => {
  const redis = createRedis({ url: services().redisUrl, name: 'presence-races', role: 'command' });
  const party = roomOf.party('left' as PartyId);
  let realm: RealmId;
  beforeAll(() => whenReady(redis));
  beforeEach(() => { realm = uniqueRealm() as RealmId; });
  afterAll(() => { redis.disconnect(); });
  const openRooms = async (pid: string): Promise<string[]> => {
    const { rooms = {} } = JSON.parse((await redis.get(keysOf(realm).session(pid))) ?? '{}') as { rooms?: Record<string, [string, string][]> };
    return Object.entries(rooms).flatMap(([room, stays]) => (stays.at(-1)?.[1] === '' ? [room] : [])).sort();
  };

  it('a room of the first reading that the second does not name has no ghost of the connection', async () => {
    const user = 'ghost' as UserId;
    const now: RoomName[] = [roomOf.realm, roomOf.user(user)];
    await using gateway = await startBareGateway(services().redisUrl, realm, {}, undefined, () => Promise.resolve(now));
    const player = await joinAs(gateway.url, user, [party]);
    expect(gateway.nsp.adapter.rooms.has(party)).toBe(false);
    const { _pid: pid } = player.socket as unknown as { _pid: string };
    await eventually(async () => {
      expect(await redis.hkeys(keysOf(realm).members(party))).toEqual([]);
      expect(await openRooms(pid)).toEqual([...now].sort());
    }, { what: 'the room to be without a ghost' });
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    await emitter.emit({ rooms: [party] }, 'app:n', { n: 1 });
    player.socket.io.engine.close();
    await eventually(() => player.welcomes === 2);
    await emitter.emit({ rooms: [roomOf.user(user)] }, 'app:n', { n: 2 });
    await eventually(() => player.received.length > 0);
    expect(player.received.map(({ payload }) => payload['n'])).toEqual([2]);
    player.close();
  });
});
