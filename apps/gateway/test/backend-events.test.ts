import { type BackendRecord, parseBackendRecord } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services, startRedis } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, join, refusalOf, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
let redis: Redis;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
  redis = createRedis({ url: services().redisUrl, name: 'studio', role: 'command' });
  await whenReady(redis);
});
afterAll(async () => {
  redis.disconnect();
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function records(realm = gateway.realm, connection = redis): Promise<BackendRecord[]> {
  const entries = await connection.xrange(keysOf(realm as never).backendEvents, '-', '+');
  return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf('record') + 1] ?? '') as BackendRecord);
}
const ofSocket = async (socketId: string): Promise<BackendRecord[]> => (await records()).filter(({ id }) => id.includes(socketId));

describe('backends hear of a connection', () => {
  it('[BCK3] [BCK5] when it begins, of the zone that its character is in, and when it ends', async () => {
    using client = await join(gateway, 'p1');
    const socketId = client.socket.id ?? '';
    await eventually(async () => (await ofSocket(socketId)).length === 2);
    client.socket.disconnect();
    await eventually(async () => (await ofSocket(socketId)).length === 3);
    const heard = await ofSocket(socketId);
    const socket = { userId: 'p1', characterId: 'c1', socketId, gateway: gateway.gateway.incarnation };
    expect(heard.map(({ id, type, data }) => ({ id, type, data }))).toEqual([
      { id: `connected-${socketId}`, type: 'user.connected', data: { ...socket, recovered: false } },
      { id: `zone-${socketId}-0`, type: 'zone.entered', data: { userId: 'p1', characterId: 'c1', zoneId: 'meadow', fromZoneId: null } },
      { id: `disconnected-${socketId}`, type: 'user.disconnected', data: { ...socket, reason: 'left' } },
    ]);
    expect(heard.map(parseBackendRecord)).toEqual(heard);
    expect(heard.every(({ realm, atMs }) => realm === gateway.realm && Math.abs(atMs - Date.now()) < 60_000)).toBe(true);
  });

  it('[BCK5] that resumes as of one that was lost and one that is recovered, in the zone where it was', async () => {
    using client = await join(gateway, 'p3', { reconnection: true, reconnectionDelay: 20 });
    const first = client.socket.id ?? '';
    await client.ask('session:ping', { atMs: 1 });
    (client.socket.io.engine as unknown as { transport: { ws: { terminate(): void } } }).transport.ws.terminate();
    await eventually(() => client.socket.recovered && client.socket.id !== first, { timeoutMs: 10_000 });
    const second = client.socket.id ?? '';
    await eventually(async () => (await ofSocket(second)).length === 1 && (await ofSocket(first)).length >= 3);
    const [recovered] = await ofSocket(second);
    expect(recovered).toMatchObject({ type: 'user.connected', data: { userId: 'p3', recovered: true } });
    const ends = (await ofSocket(first)).filter(({ type }) => type === 'user.disconnected');
    expect(new Set(ends.map(({ id }) => id))).toEqual(new Set([`disconnected-${first}`]));
    expect(ends[0]).toMatchObject({ data: { reason: 'lost' } });
  });

  it('[BCK5] that the server closes', async () => {
    using client = await join(gateway, 'p5');
    const socketId = client.socket.id ?? '';
    gateway.gateway.realms[0]!.sessions.get(socketId)!.socket.disconnect(true);
    await eventually(async () => expect((await ofSocket(socketId)).at(-1)).toMatchObject({ type: 'user.disconnected', data: { reason: 'closed' } }));
  });

  it('[BCK7] but nothing of one that was refused', async () => {
    const before = await records();
    await refusalOf(clientOf(gateway, { token: 'not a token' }));
    using after = await join(gateway, 'p7');
    const socketId = after.socket.id ?? '';
    await eventually(async () => (await ofSocket(socketId)).length === 2);
    const all = await records();
    const begun = all.slice(before.length).filter(({ type }) => type === 'user.connected');
    expect(begun.map(({ id }) => id)).toEqual([`connected-${socketId}`]);
    // The end of an earlier one may come late: it is an end of something that had begun.
    const ended = all.filter(({ type }) => type === 'user.disconnected').map(({ id }) => id.replace('disconnected-', 'connected-'));
    expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining(ended));
  });

  it('that ends with its gateway', async () => {
    const other = await startGateway(world);
    const clients = await Promise.all(['p1', 'p2', 'p3', 'p4'].map((userId) => join(other, userId)));
    await other[Symbol.asyncDispose]();
    // The stop waits for a moment only, so on a busy machine they may come right after it.
    await eventually(async () => {
      const ends = (await records(other.realm)).filter(({ type }) => type === 'user.disconnected');
      expect(ends.map(({ data }) => (data as { userId: string }).userId).sort()).toEqual(['p1', 'p2', 'p3', 'p4']);
    });
    for (const client of clients) client[Symbol.dispose]();
  });
});

describe('while Redis is away', () => {
  it('[BCK3] a gateway drops what it has to tell, counts it, and serves its players as before', async () => {
    await using own = await startRedis();
    await using away = await startGateway(world, { REDIS_URL: own.url, QUEUE_REDIS_URL: own.url });
    using stays = await join(away, 'p1');
    const goes = await join(away, 'p2');
    const connection = createRedis({ url: own.url, name: 'studio', role: 'command' });
    await whenReady(connection);
    await eventually(async () => (await records(away.realm, connection)).length === 4);
    await own.kill();
    goes.socket.disconnect();
    const dropped = async (): Promise<number> => {
      const text = await (await fetch(`${away.internalUrl}/metrics`)).text();
      return text.split('\n').filter((line) => line.includes('backend_events_dropped_total{')).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    };
    await eventually(async () => expect(await dropped()).toBe(1), { timeoutMs: 10_000 });
    expect(await stays.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    await own.restart();
    await whenReady(connection);
    using _later = await eventually(() => join(away, 'p3'), { timeoutMs: 15_000, what: 'a player to be let in again' });
    await eventually(async () => (await records(away.realm, connection)).some(({ type, data }) => type === 'user.connected' && 'userId' in data && data.userId === 'p3'), { timeoutMs: 10_000 });
    connection.disconnect();
  }, 60_000);
});
