import { type BackendRecord, parseBackendRecord, type RealmId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { awakeMsOf, eventually, startRedis, startTcpProxy } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { luaRecordLost } from '../src/append-script.ts';
import { createBackendEventRecorder, createBackendEventWriter } from '../src/index.ts';
import { createTestStream, eventOf, type TestStream } from './_stream.ts';

const bounds = { retentionMs: 60_000, entriesMax: 1_000 };
let stream: TestStream;
beforeAll(async () => {
  stream = await createTestStream();
});
afterAll(() => {
  stream[Symbol.dispose]();
});

const ids = (records: readonly BackendRecord[]): string[] => records.map(({ id }) => id);

describe('what a worker writes', () => {
  it('[BCK1] [BCK2] is in the stream when the promise resolves, once per id, in the form of the contract', async () => {
    using own = await createTestStream();
    const { write } = createBackendEventWriter({ ...own, ...bounds });
    await write(eventOf(1));
    await write(eventOf(1));
    await write({ ...eventOf(2), atMs: 1_764_000_000_000 });
    const records = await own.records();
    expect(ids(records)).toEqual(['sanction-1', 'sanction-2']);
    expect(records.map(parseBackendRecord)).toEqual(records);
    expect(records[1]).toEqual({ v: 1, id: 'sanction-2', type: 'sanction.set', atMs: 1_764_000_000_000, realm: own.realm, data: eventOf(2).data });
    const [[, fields] = ['', []]] = await own.redis.xrange(own.keys.backendEvents, '-', '+', 'COUNT', 1);
    expect(fields.slice(0, 2)).toEqual(['type', 'sanction.set']);
  });

  it('rejects with server/unavailable while Redis is away, and is repeated without a double', async () => {
    await using redis = await startRedis();
    await using proxy = await startTcpProxy({ targetPort: redis.port });
    const connection = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'writer', role: 'command', commandTimeoutMs: 300 });
    await whenReady(connection);
    const realm = 'away' as RealmId;
    const { write } = createBackendEventWriter({ redis: connection, realm, ...bounds });
    await write(eventOf(0));
    proxy.pause();
    await expect(write(eventOf(1))).rejects.toMatchObject({ code: 'server/unavailable' });
    proxy.heal();
    await eventually(() => write(eventOf(1)), { timeoutMs: 10_000, what: 'the way to Redis to be open again' });
    const entries = await connection.xrange(keysOf(realm).backendEvents, '-', '+');
    expect(entries.filter(([, fields]) => fields.join(' ').includes('sanction-1"'))).toHaveLength(1);
    connection.disconnect();
  });

  it('is not marked as done when it could not be written', async () => {
    using own = await createTestStream();
    const { write } = createBackendEventWriter({ ...own, ...bounds });
    await own.redis.set(own.keys.backendEvents, 'no stream');
    await expect(write(eventOf(1))).rejects.toMatchObject({ code: 'server/unavailable' });
    await own.redis.del(own.keys.backendEvents);
    await write(eventOf(1));
    expect(ids(await own.records())).toEqual(['sanction-1']);
  });

  it('refuses a record that nobody could have meant', async () => {
    const { write } = createBackendEventWriter({ ...stream, ...bounds });
    await expect(write({ ...eventOf(1), data: { ...eventOf(1).data, reason: 'x'.repeat(40_000) } })).rejects.toThrow(TypeError);
  });
});

describe('[BCK6] the stream', () => {
  it('is cut by count', async () => {
    using own = await createTestStream();
    const { write } = createBackendEventWriter({ ...own, retentionMs: 60_000, entriesMax: 500 });
    for (let n = 0; n < 1_500; n += 50) await Promise.all(Array.from({ length: 50 }, (_, i) => write(eventOf(n + i))));
    const kept = ids(await own.records());
    expect(kept.length).toBeGreaterThanOrEqual(500);
    expect(kept.length).toBeLessThan(700);
    expect(kept.at(-1)).toBe('sanction-1499');
  });

  it('is cut by time', async () => {
    using own = await createTestStream();
    const old = Date.now() - 120_000;
    for (let n = 0; n < 400; n += 1) await own.redis.xadd(own.keys.backendEvents, `${old}-${n}`, 'type', 'x', 'record', '{"id":"old"}');
    await createBackendEventWriter({ ...own, retentionMs: 60_000, entriesMax: 10_000 }).write(eventOf('new'));
    const kept = ids(await own.records());
    expect(kept.at(-1)).toBe('sanction-new');
    expect(kept.length).toBeLessThan(110);
  });
});

describe('what a gateway records', () => {
  it('goes out in order, everything of a turn in one call', async () => {
    // Its own server: the statistics of the shared one count what other tests do meanwhile.
    await using server = await startRedis();
    using own = await createTestStream(server.url);
    const calls = async (): Promise<number> =>
      [...(await own.redis.info('commandstats')).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
    const dropped: unknown[] = [];
    const { record, flush } = createBackendEventRecorder({ ...own, ...bounds, onDropped: (...args) => void dropped.push(args) });
    const before = await calls();
    for (let n = 0; n < 150; n += 1) record(eventOf(n));
    await flush(5_000);
    expect(ids(await own.records())).toEqual(Array.from({ length: 150 }, (_, n) => `sanction-${n}`));
    expect((await calls()) - before).toBeLessThan(20);
    expect(dropped).toEqual([]);
  });

  it('[BCK3] is dropped and counted while Redis is away, and goes on afterwards; nobody waits', async () => {
    await using redis = await startRedis();
    const connection = createRedis({ url: redis.url, name: 'recorder', role: 'command', commandTimeoutMs: 300 });
    await whenReady(connection);
    const realm = 'away' as RealmId;
    const dropped = { away: 0, overflow: 0, unknown: 0 };
    const { record, flush } = createBackendEventRecorder({ redis: connection, realm, ...bounds, onDropped: (count, why) => { dropped[why] += count; } });
    await redis.kill();
    await eventually(() => connection.status !== 'ready');
    for (let n = 0; n < 10; n += 1) record(eventOf(n));
    await flush(1_000);
    expect(dropped).toEqual({ away: 10, overflow: 0, unknown: 0 });
    await redis.restart();
    await eventually(() => connection.status === 'ready', { timeoutMs: 10_000 });
    redis.pause();
    record(eventOf('lost'));
    await eventually(() => dropped.unknown === 1, { timeoutMs: 15_000 });
    for (let n = 0; n < 6_000; n += 1) record(eventOf(n));
    await eventually(() => dropped.overflow > 0, { timeoutMs: 15_000 });
    expect(await awakeMsOf(() => flush(100))).toBeLessThan(2_000);
    redis.resume();
    await eventually(() => { record(eventOf('back')); return flush(1_000).then(async () => (await connection.xlen(keysOf(realm).backendEvents)) > 0); }, { timeoutMs: 20_000 });
    connection.disconnect();
  }, 60_000);
});

describe('a socket that went with its gateway', () => {
  const lua = `local K = ARGV[1]\n${luaRecordLost}\nrecordLost(ARGV[2], ARGV[3], cjson.decode(ARGV[4]), 'gateway-lost')\nreturn 1`;
  const lost = ({ redis, keys }: TestStream, entry: object): Promise<unknown> => redis.eval(lua, 1, keys.clock, keys.prefix, 'g-1', 'AbCdEf_-1', JSON.stringify(entry));

  it.each([
    ['p1', 'c1', 'c1'],
    ['auth0|é%"\\', 'c1', 'c1'],
    ['us-east-1:x', '', null],
  ])('[BCK3] is told in its place: %s', async (userId, characterId, toldCharacterId) => {
    using own = await createTestStream();
    await lost(own, { userId, characterId });
    const [record] = await own.records();
    expect(parseBackendRecord(record)).toEqual(record);
    expect(record).toMatchObject({ id: 'disconnected-AbCdEf_-1', type: 'user.disconnected', realm: own.realm });
    expect(record?.data).toEqual({ userId, characterId: toldCharacterId, socketId: 'AbCdEf_-1', gateway: 'g-1', reason: 'gateway-lost' });
    expect(Math.abs((record?.atMs ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('does not stop the sweep when the stream is broken, or the entry is of an older version', async () => {
    using own = await createTestStream();
    expect(await lost(own, { userKey: 'x' })).toBe(1);
    expect(await own.records()).toEqual([]);
    await own.redis.set(own.keys.backendEvents, 'no stream');
    expect(await lost(own, { userId: 'p1', characterId: '' })).toBe(1);
  });
});
