import { createEmitter } from '@skirmish/emitter';
import type { PartyId, RealmId, RoomName, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { compareStreamIds, createRedis, keysOf, whenReady } from '@skirmish/redis';
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

  it('a connection whose session another one continues before it arrives comes back by itself', async () => {
    const user = 'twice' as UserId;
    const gate = { pass: Promise.resolve(), waits: 0 };
    await using a = await startBareGateway(services().redisUrl, realm, {}, () => {
      gate.waits += 1;
      return gate.pass;
    });
    await using b = await startBareGateway(services().redisUrl, realm);
    const first = await joinAs(a.url, user);
    const { _pid: pid, _lastOffset: offset } = first.socket as unknown as { _pid: string; _lastOffset: string };
    const { promise, resolve } = Promise.withResolvers<undefined>();
    gate.pass = promise;
    first.socket.io.engine.close();
    await eventually(() => gate.waits === 2, { what: 'the resume on its way' });
    // The same session elsewhere: an attempt that was late, or a copied client.
    const second = await joinAs(b.url, user, [], undefined, { pid, offset });
    expect(second.socket.recovered).toBe(true);
    await createEmitter({ redis, realm, epochGraceMs: 0 }).emit({ rooms: [roomOf.user(user)] }, 'app:n', { n: 1 });
    await eventually(() => second.received.length === 1);
    await eventually(() => compareStreamIds(a.transport.reader.position, second.received[0]?.position ?? '0-0') >= 0, { what: 'the gate to hold the order to go' });
    gate.pass = Promise.resolve();
    resolve(undefined);
    await eventually(() => first.disconnects.length > 0 && first.socket.connected, { timeoutMs: 10_000, what: 'the first to be back' });
    expect(first.disconnects).not.toContain('io server disconnect');
    first.close();
    second.close();
  });
});
