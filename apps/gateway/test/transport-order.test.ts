import { createEmitter } from '@skirmish/emitter';
import type { CombatId, RealmId, RoomName, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { compareStreamIds, createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, services, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinAs, startBareGateway } from './_bare-gateway.ts';
import type { BareGateway, Player } from './_bare-gateway.ts';

const room = roomOf.combat('order' as CombatId);

describe('the one path of critical events', () => {
  const realm = uniqueRealm() as RealmId;
  const keys = keysOf(realm);
  const redis = createRedis({ url: services().redisUrl, name: 'test', role: 'command' });
  let gateways: BareGateway[] = [];
  let a: BareGateway, b: BareGateway, c: BareGateway;

  beforeAll(async () => {
    await whenReady(redis);
    [a, b, c] = gateways = await Promise.all([1, 2, 3].map(() => startBareGateway(services().redisUrl, realm))) as [BareGateway, BareGateway, BareGateway];
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    redis.disconnect();
  });

  /** Entries that are for somebody; the others keep the end of an inbox young. */
  const entriesIn = async (gateway: BareGateway): Promise<number> => {
    const entries = await redis.xrange(keys.inbox(gateway.transport.incarnation()), '-', '+');
    return entries.filter(([, fields]) => fields[fields.indexOf('type') + 1] !== '0').length;
  };
  const readBy = async (gateway: BareGateway): Promise<number> =>
    Number(/skirmish_inbox_entries_total\{[^}]*\} (\d+)/.exec(await gateway.metrics.render())?.[1] ?? 0);

  it('F9: every member of a room, on every gateway, gets one and the same order, and positions only grow', async () => {
    const players = await Promise.all([a, b, c].map((gateway, i) => joinAs(gateway.url, `order-${i}`, [room])));
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    for (let n = 0; n < 300; n += 1) {
      a.nsp.to(room).emit('numbered', { from: 'a', n });
      b.nsp.to(room).emit('numbered', { from: 'b', n });
      await emitter.emit({ rooms: [room] }, 'app:numbered', { from: 'worker', n });
    }
    await eventually(() => players.every(({ received }) => received.length === 900), { timeoutMs: 30_000, what: '900 events for everybody' });
    const [first, ...others] = players.map(({ received }) => received.map(({ payload }) => `${String(payload['from'])}${String(payload['n'])}`));
    for (const other of others) expect(other).toEqual(first);
    for (const { received } of players) {
      const positions = received.map(({ position }) => position ?? '');
      expect(positions.every((position, i) => i === 0 || compareStreamIds(positions[i - 1] ?? '', position) < 0)).toBe(true);
    }
    for (const player of players) player.close();
  }, 60_000);

  it("F9: while A's inbox reader stands still, A's own broadcast does not reach A's members", async () => {
    const onA = await joinAs(a.url, 'frozen-a', [room]);
    const onB = await joinAs(b.url, 'frozen-b', [room]);
    a.transport.reader.hold();
    a.nsp.to(room).emit('own', { n: 1 });
    await eventually(() => onB.received.length === 1);
    expect(onA.received).toEqual([]);
    a.transport.reader.release();
    await eventually(() => onA.received.length === 1);
    expect(onA.received[0]?.position).toBe(onB.received[0]?.position);
    onA.close();
    onB.close();
  });

  it('writes to the inboxes of gateways with members only, and a gateway without members reads nothing', async () => {
    const member = await joinAs(a.url, 'alone', [room]);
    await eventually(async () => (await redis.smembers(keys.room(room))).length === 1);
    const before = await Promise.all([a, b, c].map((gateway) => entriesIn(gateway)));
    const readBefore = await readBy(c);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    for (let n = 0; n < 50; n += 1) await emitter.emit({ rooms: [room] }, 'app:busy', { n });
    await eventually(() => member.received.length === 50);
    const after = await Promise.all([a, b, c].map((gateway) => entriesIn(gateway)));
    expect(after.map((length, i) => length - (before[i] ?? 0))).toEqual([50, 0, 0]);
    expect(await readBy(c)).toBe(readBefore);
    member.close();
  });

  it('plain to().emit, socketsJoin, socketsLeave and disconnectSockets work on all gateways', async () => {
    const party = 'party:plain' as RoomName;
    const players = await Promise.all([a, b, c].map((gateway, i) => joinAs(gateway.url, `plain-${i}`, [room])));
    const membersOn = () => gateways.map(({ nsp }) => nsp.adapter.rooms.get(party)?.size ?? 0);
    b.nsp.in(room).socketsJoin(party);
    // Two gateways have no order among them until one has heard of the other.
    await eventually(() => { expect(membersOn()).toEqual([1, 1, 1]); });
    a.nsp.to(party).emit('hello', { n: 1 });
    await eventually(() => players.every(({ received }) => received.length === 1), { what: 'the joined room to be reached' });
    c.nsp.in(room).except(roomOf.user('plain-0' as never)).socketsLeave(party);
    await eventually(() => { expect(membersOn()).toEqual([1, 0, 0]); });
    a.nsp.to(party).emit('hello', { n: 2 });
    await eventually(() => players[0]?.received.length === 2);
    const mark = players[1]?.socket.id ?? '';
    a.nsp.to(mark).emit('to-one-socket', { n: 3 });
    await eventually(() => players[1]?.received.length === 2);
    expect(players.map(({ received }) => received.length)).toEqual([2, 2, 1]);
    a.nsp.in(room).disconnectSockets(true);
    await eventually(() => players.every(({ socket }) => !socket.connected));
    await eventually(async () => (await redis.exists(keys.room(room))) === 0, { what: 'the directory entry to go' });
    for (const player of players) player.close();
  });

  it('a connection gets everything from its position on, also what comes before it is complete, and nothing from before', async () => {
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    const user = roomOf.user('gate' as UserId);
    const other = roomOf.combat('joined-meanwhile' as CombatId);
    await using slow = await startBareGateway(services().redisUrl, realm, {}, async (userId) => {
      if (userId !== 'gate') return;
      const passed = (id: string) => eventually(() => compareStreamIds(slow.transport.reader.position, id) >= 0, { what: 'the reader to pass' });
      await emitter.emit({ rooms: [room] }, 'app:gate', { n: 1 });
      await emitter.join({ rooms: [user] }, [other]);
      await emitter.emit({ rooms: [other] }, 'app:gate', { n: 2 });
      await emitter.emit({ rooms: [room], except: [user] }, 'app:gate', { n: -1 });
      const { id } = await emitter.emit({ rooms: [user] }, 'app:gate', { n: 3 });
      await passed(id);
    });
    // An entry that the reader has not met when the connection registers must not come afterwards.
    const neighbour = await joinAs(slow.url, 'neighbour', [room]);
    slow.transport.reader.hold();
    await emitter.emit({ rooms: [room] }, 'app:gate', { n: 0 });
    const joining = joinAs(slow.url, 'gate', [room]);
    await eventually(async () => (await redis.exists(keys.user('gate' as UserId))) === 1);
    slow.transport.reader.release();
    const player = await joining;
    await emitter.emit({ rooms: [other] }, 'app:gate', { n: 4 });
    await eventually(() => player.received.length >= 4);
    expect(player.received.map(({ payload }) => payload['n'])).toEqual([1, 2, 3, 4]);
    const positions = player.received.map(({ position }) => position ?? '');
    expect(positions.every((position, i) => i === 0 || compareStreamIds(positions[i - 1] ?? '', position) < 0)).toBe(true);
    player.close();
    neighbour.close();
  });

  it('what was emitted before a connection was registered is not for it, also when the reader meets it after the welcome', async () => {
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    const neighbour = await joinAs(a.url, 'early', [room]);
    a.transport.reader.hold();
    await emitter.emit({ rooms: [room] }, 'app:gate', { n: 0 });
    const player = await joinAs(a.url, 'late', [room]);
    await emitter.emit({ rooms: [room] }, 'app:gate', { n: 1 });
    a.transport.reader.release();
    await eventually(() => neighbour.received.length === 2 && player.received.length > 0);
    expect(player.received.map(({ payload }) => payload['n'])).toEqual([1]);
    player.close();
    neighbour.close();
  });

  it('fetchSockets and serverSideEmit ask all gateways, over Pub/Sub', async () => {
    const players = await Promise.all([a, b, c].map((gateway, i) => joinAs(gateway.url, `asked-${i}`, [room])));
    const found = await a.nsp.in(room).fetchSockets();
    expect(found.map(({ id }) => id).sort()).toEqual(players.map(({ socket }) => socket.id).sort());
    const heard: string[] = [];
    b.nsp.once('hello', () => { heard.push('b'); });
    c.nsp.once('hello', () => { heard.push('c'); });
    a.nsp.serverSideEmit('hello', { n: 1 });
    await eventually(() => heard.length === 2);
    for (const player of players) player.close();
  });

  it('the sixth connection of a user closes the first one, wherever it is, and tells it why', async () => {
    const players: Player[] = [];
    for (let n = 0; n < 6; n += 1) players.push(await joinAs([a, b, c][n % 3]?.url ?? '', 'crowded'));
    await eventually(() => players[0]?.socket.connected === false, { what: 'the oldest connection to be closed' });
    expect(players[0]?.received).toMatchObject([{ event: 'session:closed', payload: { code: 'session/replaced' } }]);
    expect(players.slice(1).every(({ socket }) => socket.connected)).toBe(true);
    await eventually(async () => (await redis.hlen(keys.user('crowded' as UserId))) === 5);
    for (const player of players) player.close();
    await eventually(async () => (await redis.exists(keys.user('crowded' as UserId))) === 0);
  });

  it('a volatile broadcast reaches members on all gateways without touching an inbox or carrying a position', async () => {
    const players = await Promise.all([a, b, c].map((gateway, i) => joinAs(gateway.url, `volatile-${i}`, [room])));
    const lengths = () => Promise.all([a, b, c].map((gateway) => entriesIn(gateway)));
    const before = await lengths();
    await eventually(() => {
      a.nsp.volatile.to(room).emit('blink', { n: 1 });
      return players.every(({ received }) => received.length > 0);
    });
    expect(await lengths()).toEqual(before);
    expect(players.flatMap(({ received }) => received).every(({ position }) => position === undefined)).toBe(true);
    for (const player of players) player.close();
  });
});
