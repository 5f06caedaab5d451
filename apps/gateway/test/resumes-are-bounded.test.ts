import { createMetrics } from '@skirmish/observability';
import type { RealmId, RoomName } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, startRedis, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Resumes, type ResumeWish } from '../src/cluster/resumes.ts';

const room = 'party:busy' as RoomName;
const entries = 5_000;
/** Entries that one command reads within a page. */
const chunk = 20;

/** F15: one client that comes back must not cost more than its bounds, and many not more than a few at a time. */
describe('F15: the reading of resumes', () => {
  const realm = uniqueRealm() as RealmId;
  let server: Awaited<ReturnType<typeof startRedis>>;
  let redis: Redis;
  let control: Redis;
  let wish: ResumeWish;

  beforeAll(async () => {
    server = await startRedis();
    [redis, control] = [createRedis({ url: server.url, name: 'resumes', role: 'command', commandTimeoutMs: 20_000 }), createRedis({ url: server.url, name: 'control', role: 'command' })];
    await Promise.all([whenReady(redis), whenReady(control)]);
    const nowMs = Date.now();
    const data = JSON.stringify({ packet: { type: 2, data: ['app:n', { filler: 'x'.repeat(500) }], nsp: '/' }, opts: { rooms: [room], except: [], flags: {} } });
    for (let n = 0; n < entries; n += 500) {
      const pipeline = control.pipeline();
      for (let i = n; i < n + 500; i += 1) pipeline.xadd(keysOf(realm).log(room), `${nowMs}-${i + 1}`, 'v', '1', 'data', data);
      await pipeline.exec();
    }
    const answer = { resumed: true as const, rooms: { [room]: [[`${nowMs - 1}-0`, ''] as const] }, sockets: ['s'], connectedAtMs: nowMs, before: { incarnation: 'i', socketId: 'o' }, nowMs };
    wish = { offset: `${nowMs - 1}-0`, position: `${nowMs}-${entries}`, answer };
  });
  afterAll(async () => {
    redis.disconnect();
    control.disconnect();
    await server.stop();
  });

  const resumesOf = (bounds: { resumeEntriesMax: number; resumeBytesMax: number }): Resumes =>
    new Resumes({ realm, redis, keys: keysOf(realm), metrics: createMetrics({ process: 'gateway', runtime: false }), resumeWindowMs: 60_000, ...bounds });
  const readsAndBytes = async (): Promise<[reads: number, bytes: number]> => {
    const text = `${await control.info('commandstats')}${await control.info('stats')}`;
    return [Number(/cmdstat_xrange:calls=(\d+)/.exec(text)?.[1] ?? 0), Number(/total_net_output_bytes:(\d+)/.exec(text)?.[1] ?? 0)];
  };

  it('goes by pages of 500 and brings everything within the bounds', async () => {
    const [before] = await readsAndBytes();
    const outcome = await resumesOf({ resumeEntriesMax: entries, resumeBytesMax: 100_000_000 }).settle(wish, () => 'member');
    expect(outcome.recovered && outcome.events.length).toBe(entries);
    // Each page ends where the next one begins, and the last one finds nothing.
    expect((await readsAndBytes())[0] - before).toBe(entries / chunk + 1);
  });

  it.each([['entries', { resumeEntriesMax: 600, resumeBytesMax: 100_000_000 }], ['bytes', { resumeEntriesMax: entries, resumeBytesMax: 300_000 }]])('stops at the bound of %s, and reads no more than a page beyond it', async (_, bounds) => {
    const before = await readsAndBytes();
    expect(await resumesOf(bounds).settle(wish, () => 'member')).toEqual({ recovered: false, reason: 'too-much-missed' });
    const after = await readsAndBytes();
    expect(after[0] - before[0]).toBeLessThanOrEqual(1_000 / chunk);
    // Two pages of 500 entries of about 650 bytes.
    expect(after[1] - before[1]).toBeLessThan(900_000);
  });

  it('ends with its bytes also among the largest events of several rooms', async () => {
    const rooms = Array.from({ length: 6 }, (_, n) => `party:large-${n}` as RoomName);
    const data = JSON.stringify({ packet: { type: 2, data: ['app:n', { filler: 'x'.repeat(60_000) }], nsp: '/' }, opts: { rooms, except: [], flags: {} } });
    for (const [n, large] of rooms.entries()) {
      const pipeline = control.pipeline();
      for (let i = 1; i <= 60; i += 1) pipeline.xadd(keysOf(realm).log(large), wish.position.replace(/-\d+$/, `-${n * 60 + i}`), 'v', '1', 'data', data);
      await pipeline.exec();
    }
    const stays = Object.fromEntries(rooms.map((large) => [large, [[wish.offset, ''] as const]]));
    const [, before] = await readsAndBytes();
    const outcome = await resumesOf({ resumeEntriesMax: entries, resumeBytesMax: 1_000_000 }).settle({ ...wish, answer: { ...wish.answer, rooms: stays } as ResumeWish['answer'] }, () => 'member');
    expect(outcome).toEqual({ recovered: false, reason: 'too-much-missed' });
    // There are 21 MB; one command goes over the bound by 20 events at most.
    expect((await readsAndBytes())[1] - before).toBeLessThan(1_000_000 + chunk * 61_000 + 50_000);
  });

  it('lets 16 read at a time; the others wait for their turn', async () => {
    const resumes = resumesOf({ resumeEntriesMax: entries, resumeBytesMax: 100_000_000 });
    server.pause();
    // Little to read: whoever waits for 5 s is refused, also on a busy machine.
    const little = { ...wish, position: wish.position.replace(/-\d+$/, '-100') };
    const all = Promise.all(Array.from({ length: 40 }, () => resumes.settle(little, () => 'revoked').then(() => resumes.settle(little, () => 'member'))));
    try {
      await eventually(() => resumes.waiting === 24, { what: '24 of 40 to wait' });
    } finally {
      server.resume();
    }
    for (const outcome of await all) expect(outcome.recovered).toBe(true);
    expect(resumes.waiting).toBe(0);
  }, 30_000);
});
