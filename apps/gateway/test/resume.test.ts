import { createEmitter } from '@skirmish/emitter';
import type { RealmId, RoomName, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { compareStreamIds, createRedis, keysOf, logRetentionMs, msOfStreamId, type Redis } from '@skirmish/redis';
import { eventually, services, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { io as connectClient, type Socket } from 'socket.io-client';
import { type BareGateway, joinAs, type Player, startBareGateway } from './_bare-gateway.ts';
import { untilInTime, within } from './_in-time.ts';

const { redisUrl } = services();

/** Private id and position of a client, as Socket.IO keeps them. */
const insideOf = (socket: Socket) => socket as unknown as { _pid?: string; _lastOffset?: string };

/** Moves a client to another gateway: its transport breaks there, and the next connection goes here. */
async function moveTo(player: Player, gateway: BareGateway): Promise<void> {
  const welcomes = player.welcomes;
  const { io } = player.socket;
  (io as unknown as { uri: string }).uri = new URL(gateway.url).origin;
  io.engine.close();
  await eventually(() => player.welcomes > welcomes, { timeoutMs: 15_000, what: 'the welcome of the new gateway' });
}

const numbers = (player: Player): number[] => player.received.map(({ payload }) => Number(payload['n']));

describe('resume', () => {
  let realm: string;
  let redis: Redis;
  let a: BareGateway;
  let b: BareGateway;
  const party = 'party:one' as RoomName;

  beforeAll(() => { redis = createRedis({ url: redisUrl, name: 'test', role: 'command' }); });
  afterAll(() => { redis.disconnect(); });
  beforeEach(async () => {
    realm = uniqueRealm();
    [a, b] = await Promise.all([startBareGateway(redisUrl, realm), startBareGateway(redisUrl, realm)]);
    return async () => { await Promise.all([a.stop(), b.stop()]); };
  });
  const emitter = () => createEmitter({ redis, realm: realm as RealmId, epochGraceMs: 0 });
  const emit = (rooms: RoomName[], n: number, except: string[] = []) => emitter().emit({ rooms, except }, 'app:n', { n });

  it('continues on another gateway: what was missed comes after the welcome, in order, then what is new', async () => {
    const player = await joinAs(a.url, 'r1', [party]);
    const mine = roomOf.user('r1' as UserId);
    await emit([party], 1);
    await eventually(() => numbers(player).length === 1);
    const { _pid } = insideOf(player.socket);
    expect(await redis.exists(keysOf(realm as RealmId).session(_pid ?? ''))).toBe(1);
    (player.socket.io as unknown as { skipReconnect: boolean }).skipReconnect = true;
    player.socket.io.engine.close();
    await eventually(() => a.nsp.sockets.size === 0);
    for (let n = 2; n <= 40; n += 1) await emit(n % 3 === 0 ? [mine] : [party], n);
    (player.socket.io as unknown as { uri: string }).uri = new URL(b.url).origin;
    player.socket.connect();
    await eventually(() => player.welcomes === 2);
    expect(player.socket.recovered).toBe(true);
    await emit([party], 41);
    await eventually(() => numbers(player).includes(41));
    expect(numbers(player)).toEqual(Array.from({ length: 41 }, (_, i) => i + 1));
    player.close();
  });

  it('loses and doubles nothing while it is resumed over and over under traffic', async () => {
    const player = await joinAs(a.url, 'r2', [party]);
    let n = 0;
    const stopped = new AbortController();
    const pump = (async () => {
      while (!stopped.signal.aborted) await Promise.all([emit([party], n++), emit([roomOf.user('r2' as UserId)], n++)]);
    })();
    let recovered = 0;
    for (let round = 0; round < 20; round += 1) {
      await moveTo(player, round % 2 ? a : b);
      if (player.socket.recovered) recovered += 1;
    }
    stopped.abort();
    await pump;
    await eventually(() => numbers(player).includes(n - 1), { timeoutMs: 20_000 });
    const seen = numbers(player);
    expect(recovered).toBe(20);
    expect(new Set(seen).size).toBe(seen.length);
    // Two emissions under way at once may swap; nothing may be missing.
    expect([...seen].sort((x, y) => x - y)).toEqual(Array.from({ length: n }, (_, i) => i));
    const positions = player.received.map(({ position }) => position ?? '');
    expect(positions).toEqual([...positions].sort((x, y) => Number(x.split('-')[0]) - Number(y.split('-')[0]) || Number(x.split('-')[1]) - Number(y.split('-')[1])));
    player.close();
  }, 60_000);

  it('follows joins and leaves that were made while it was away', async () => {
    const player = await joinAs(a.url, 'r3', [party]);
    const mine = roomOf.user('r3' as UserId);
    const fight = 'combat:f3' as RoomName;
    (player.socket.io as unknown as { skipReconnect: boolean }).skipReconnect = true;
    player.socket.io.engine.close();
    await eventually(() => a.nsp.sockets.size === 0);
    player.socket.auth = { userId: 'r3' };
    await emit([fight], 1);
    await emitter().join({ rooms: [mine] }, [fight]);
    await emit([fight], 2);
    await emit([fight], 3, [party]);
    await emitter().leave({ rooms: [fight] }, [party]);
    await emit([party], 4);
    await emit([fight], 5);
    (player.socket.io as unknown as { uri: string }).uri = new URL(b.url).origin;
    player.socket.connect();
    await eventually(() => player.welcomes === 2);
    await emit([fight], 6);
    await emit([party], 7);
    await eventually(() => numbers(player).includes(6));
    expect(player.socket.recovered).toBe(true);
    expect(numbers(player)).toEqual([2, 5, 6]);
    player.close();
  });

  it('continues after a silence longer than the window: positions stay young without any event', async () => {
    const short = { resumeWindowMs: 1_000, renewIntervalMs: 200 };
    const realmOfSilence = uniqueRealm();
    await using from = await startBareGateway(redisUrl, realmOfSilence, short);
    await using to = await startBareGateway(redisUrl, realmOfSilence, short);
    await untilInTime(async () => {
      const player = await joinAs(from.url, 'r4', [party]);
      const first = insideOf(player.socket)._lastOffset ?? '';
      const keptForMs = logRetentionMs(short.resumeWindowMs) + 500;
      await eventually(() => msOfStreamId(insideOf(player.socket)._lastOffset ?? first) - msOfStreamId(first) > keptForMs, { timeoutMs: 30_000, what: 'a position later than any log reaches back' });
      expect(player.received).toEqual([]);
      const inTime = within(short.resumeWindowMs);
      await moveTo(player, to);
      const wasInTime = inTime();
      if (wasInTime) expect(player.socket.recovered).toBe(true);
      player.close();
      return wasInTime;
    });
  }, 120_000);

  it('loses no join that came while it was being resumed, when that fails and a room of the session is no longer its own', async () => {
    const mine = roomOf.user('r6' as UserId);
    const fight = 'combat:f6' as RoomName;
    const keys = keysOf(realm as RealmId);
    const { promise: settled, resolve: settle } = Promise.withResolvers<undefined>();
    // What the game says in the meantime: no party any more, but a fight. All of it is met before the resume goes on.
    const readAgain = async (): Promise<RoomName[]> => {
      await emitter().join({ rooms: [mine] }, [fight]);
      const { id } = await emitter().emit({ rooms: [fight] }, 'app:n', { n: 1 });
      await eventually(() => compareStreamIds(failing.transport.reader.position, id) >= 0);
      return [roomOf.realm, mine];
    };
    const failing = await startBareGateway(redisUrl, realm, {}, async () => {
      settle(undefined);
      await new Promise(() => undefined);
    }, readAgain);
    const player = await joinAs(a.url, 'r6', [party]);
    const { _pid: pid = '', _lastOffset: offset = '' } = insideOf(player.socket);
    player.socket.io.engine.close();
    player.socket.io.reconnection(false);
    const first = connectClient(failing.url, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { userId: 'r6', rooms: [] } });
    Object.assign(first, { _pid: pid, _lastOffset: offset });
    await settled;
    await eventually(async () => {
      const record = JSON.parse((await redis.get(keys.session(pid))) ?? '{}') as { rooms: Record<string, string[][]> };
      expect(record.rooms[party]?.at(-1)?.[1]).not.toBe('');
    });
    first.close();
    const again = await joinAs(b.url, 'r6', [], undefined, { pid, offset });
    await emit([fight], 2);
    await eventually(() => again.received.length === 2);
    expect(again.socket.recovered).toBe(true);
    expect(numbers(again)).toEqual([1, 2]);
    again.close();
    await failing.stop();
  });

  it('writes each join and leave into the record under its own id, so that it outlives the log of moves', async () => {
    const player = await joinAs(a.url, 'r5');
    const keys = keysOf(realm as RealmId);
    const fight = 'combat:f5' as RoomName;
    // One read round brings all of it: the stay begins at the join, not where the round began.
    a.transport.reader.hold();
    await emit([fight], 1);
    const { id: joinedAt } = await emitter().join({ rooms: [roomOf.user('r5' as UserId)] }, [fight, party]);
    await emit([fight], 2);
    const { id: leftAt } = await emitter().leave({ rooms: [fight] }, [fight]);
    a.transport.reader.release();
    const record = async () => JSON.parse((await redis.get(keys.session(insideOf(player.socket)._pid ?? ''))) ?? '{}') as { rooms: Record<string, string[][]> };
    await eventually(async () => { expect((await record()).rooms).toMatchObject({ [fight]: [[joinedAt, leftAt]], [party]: [[joinedAt, '']] }); });
    await redis.del(keys.moves(roomOf.user('r5' as UserId)), keys.moves(fight));
    await moveTo(player, b);
    await emit([fight], 3);
    await emit([party], 4);
    await eventually(() => numbers(player).includes(4));
    expect(numbers(player)).toEqual([2, 4]);
    player.close();
  });
});
