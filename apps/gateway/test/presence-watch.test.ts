import { type GuildId, roomOf, type UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join } from './_gateway.ts';
import { changesHeard, enter, type Statuses, startWatchBench, watch, type WatchBench } from './_watch-bench.ts';

const strangeIds = ['__proto__', 'constructor', 'auth0|x y', 'ü/%:{}'];
let bench: WatchBench;
beforeAll(async () => { bench = await startWatchBench(300, { users: strangeIds }); });
afterAll(() => bench[Symbol.asyncDispose]());

/** Everybody is gone and has been announced as gone. */
const quiet = (): Promise<void> => bench.announced();

describe('presence:watch', () => {
  it('[PRS1] answers the truth of guild, zone and oneself on all gateways, and that all others are offline', async () => {
    const [self, guildMate, zoneMate, stranger] = await enter(bench, 'p1', 'p13', 'p2', 'p12');
    expect(await watch(self!, 'p1', 'p13', 'p2', 'p12', 'p3', 'nobody')).toEqual({ p1: 'online', p13: 'online', p2: 'online', p12: 'offline', p3: 'offline', nobody: 'offline' });
    expect(await watch(stranger!, 'p1', 'p13', 'p2', 'nobody')).toEqual({ p1: 'offline', p13: 'online', p2: 'online', nobody: 'offline' });
    for (const client of [self, guildMate, zoneMate, stranger]) client![Symbol.dispose]();
    await quiet();
  });

  it('[PRS1] answers a stranger, an unknown user and one who is away in the same words', async () => {
    const [self, stranger] = await enter(bench, 'p1', 'p12');
    const answer = await self!.ask<{ users: Record<string, unknown> }>('presence:watch', { userIds: ['p12', 'nobody', 'p3'] });
    const users = answer.ok ? answer.data.users : {};
    expect(Object.values(users)).toEqual(Array.from({ length: 3 }, () => ({ online: false, status: 'offline' })));
    for (const client of [self, stranger]) client![Symbol.dispose]();
    await quiet();
  });

  it('[PRS1] takes 100 users at a time, and not one more, in one question or in several', async () => {
    const [self, mate] = await enter(bench, 'p1', 'p100');
    const hundred = Array.from({ length: 100 }, (_, n) => `p${n + 1}`);
    const seen = await watch(self!, ...hundred);
    expect(Object.keys(seen)).toHaveLength(100);
    expect(Object.entries(seen).filter(([, status]) => status === 'online').map(([userId]) => userId)).toEqual(['p1', 'p100']);
    expect(await self!.ask('presence:watch', { userIds: [...hundred, 'p101'] })).toMatchObject({ ok: false, error: { code: 'payload/invalid', path: 'userIds' } });
    expect(await self!.ask('presence:watch', { userIds: ['p101'] })).toMatchObject({ ok: false, error: { code: 'presence/too-many', path: 'userIds' } });
    expect(await self!.ask('presence:unwatch', { userIds: ['p100'] })).toEqual({ ok: true, data: { users: { p100: { online: true, status: 'online' } } } });
    expect(await watch(self!, 'p101', 'p1', 'p1')).toEqual({ p101: 'offline', p1: 'online' });
    expect(bench.served(0).presence.size).toMatchObject({ users: 100, sessions: 1 });
    for (const client of [self, mate]) client![Symbol.dispose]();
    await quiet();
  });

  it('[IDS4] [PRS2] knows users of any name', async () => {
    const clients = await enter(bench, 'p1', ...strangeIds);
    const expected = Object.fromEntries(strangeIds.map((userId) => [userId, 'online'])) as Statuses;
    const seen = await watch(clients[0]!, ...strangeIds);
    expect(Object.entries(seen).sort()).toEqual(Object.entries(expected).sort());
    for (const client of clients.slice(1)) client[Symbol.dispose]();
    await eventually(() => { expect(changesHeard(clients[0]!).sort()).toEqual(strangeIds.map((userId) => `${userId} offline`).sort()); }, { timeoutMs: 10_000 });
    clients[0]![Symbol.dispose]();
    await quiet();
  });

  it('[PRS5] tells nothing more of users who were unwatched, and nothing to a session that watches nobody', async () => {
    const [self, other, mate, second] = await enter(bench, 'p1', 'p3', 'p5', 'p7');
    await watch(self!, 'p5', 'p7');
    await self!.ask('presence:unwatch', { userIds: ['p5'] });
    for (const client of [mate, second]) client![Symbol.dispose]();
    await eventually(() => { expect(changesHeard(self!)).toEqual(['p7 offline']); }, { timeoutMs: 10_000 });
    await bench.announced('p1', 'p3');
    expect(changesHeard(self!)).toEqual(['p7 offline']);
    expect(changesHeard(other!)).toEqual([]);
    for (const client of [self, other]) client![Symbol.dispose]();
    await quiet();
    // What Redis has published may still be on its way to a gateway.
    await eventually(() => { expect(bench.served(0).presence.size).toEqual({ users: 0, sessions: 0, news: 0, doubted: 0, announcements: 0 }); });
  });

  it('[PRS4] answers where the newest connection of a user is', async () => {
    const [self, older] = await enter(bench, 'p1', 'p12');
    const rooms = ['p1', 'p12'].map((userId) => roomOf.user(userId as UserId));
    await bench.served(0).transport.emitter.join({ rooms }, [roomOf.guild('green' as GuildId)]);
    await eventually(async () => { expect(await watch(self!, 'p12')).toEqual({ p12: 'online' }); });
    const newer = await join(bench.gateways[2]!, 'p12');
    expect(await watch(self!, 'p12')).toEqual({ p12: 'offline' });
    newer[Symbol.dispose]();
    await eventually(async () => { expect(await watch(self!, 'p12')).toEqual({ p12: 'online' }); });
    for (const client of [self, older]) client![Symbol.dispose]();
    await quiet();
  });

  it('costs Redis little for 100 users', async () => {
    const clients = await enter(bench, ...Array.from({ length: 60 }, (_, n) => `p${n + 1}`));
    await bench.announced(...Array.from({ length: 60 }, (_, n) => `p${n + 1}`));
    const hundred = Array.from({ length: 100 }, (_, n) => `p${n + 1}`);
    await watch(clients[0]!, ...hundred);
    const before = await scripts();
    for (let n = 0; n < 20; n += 1) await watch(clients[0]!, ...hundred);
    const { calls, usec } = await scripts();
    process.stderr.write(`a question for 100 users, 60 of them online: ${Math.round((usec - before.usec) / (calls - before.calls))} µs of Redis, all scripts of the realm meanwhile counted in\n`);
    expect(calls).toBeGreaterThanOrEqual(before.calls + 20);
    for (const client of clients) client[Symbol.dispose]();
    await quiet();
  });
});

async function scripts(): Promise<{ calls: number; usec: number }> {
  const stats = await bench.redis.info('commandstats');
  const [, calls = '0', usec = '0'] = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(stats) ?? [];
  return { calls: Number(calls), usec: Number(usec) };
}
