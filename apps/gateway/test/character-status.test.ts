import type { UserId, ZoneId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join } from './_gateway.ts';
import { changesHeard, enter, startWatchBench, watch, type WatchBench } from './_watch-bench.ts';

let bench: WatchBench;
beforeAll(async () => { bench = await startWatchBench(300); });
afterAll(() => bench[Symbol.asyncDispose]());

const leave = (...clients: (Client | undefined)[]): void => { for (const client of clients) client?.[Symbol.dispose](); };
const set = (client: Client, commandId: string, status: string) => client.ask('character:status', { commandId, status });
const codeOf = (answer: { ok: boolean; error?: { code: string } }) => answer.error?.code;
interface Roster { characters: { characterId: string; status: string }[] }
const rosterStatus = async (client: Client, characterId: string): Promise<string | undefined> => {
  const answer = await client.ask<Roster>('zone:roster', { zoneId: 'meadow' });
  return answer.ok ? answer.data.characters.find((each) => each.characterId === characterId)?.status : codeOf(answer);
};
const seatOf = async (characterId: string): Promise<{ status?: string }> => JSON.parse((await bench.redis.hget(bench.keys.roster('meadow' as ZoneId), characterId)) ?? '{}') as { status?: string };
/** What a client saw of a character in `entered`, in order. */
const enteredStatuses = (client: Client, characterId: string): string[] =>
  client.payloads<{ entered: Roster['characters'] }>('zone:tick').flatMap(({ entered }) => entered.flatMap((each) => (each.characterId === characterId ? [each.status] : [])));
const told = (client: Client, characterId: string): string[] =>
  client.payloads<{ characterId: string; status: string }>('character:status-changed').flatMap((each) => (each.characterId === characterId ? [each.status] : []));
const quiet = (): Promise<void> => bench.announced();

describe('character:status', () => {
  it('[CHR6] [CHR8] is told to the zone, and stands in rosters and ticks on all gateways, also for those who come later', async () => {
    const [self, near, far] = await enter(bench, 'p1', 'p2', 'p4');
    await eventually(async () => { for (const client of [near, far]) expect(await rosterStatus(client!, 'c1')).toBe('online'); });
    expect(await set(self!, 'one', 'busy')).toEqual({ ok: true, data: {} });
    for (const client of [self, near, far]) {
      expect(await client!.hears('character:status-changed')).toEqual({ characterId: 'c1', status: 'busy' });
      await eventually(async () => { expect(await rosterStatus(client!, 'c1')).toBe('busy'); });
      await eventually(() => { expect(enteredStatuses(client!, 'c1').at(-1)).toBe('busy'); });
    }
    expect(await seatOf('c1')).toMatchObject({ status: 'busy' });
    const late = await join(bench.gateways[2]!, 'p6');
    await eventually(() => { expect(enteredStatuses(late, 'c1')).toContain('busy'); });
    leave(self, near, far, late);
    await quiet();
  });

  it('[PRS2] [PRS3] reaches watchers after the grace, conflated', async () => {
    const [self, watcher] = await enter(bench, 'p1', 'p2');
    await bench.announced('p1', 'p2');
    expect(await watch(watcher!, 'p1')).toEqual({ p1: 'online' });
    const heard = (since: number): string[] => changesHeard(watcher!).slice(since);
    for (let round = 0, tookMs = Infinity; tookMs > 250; round += 1) {
      const before = changesHeard(watcher!).length;
      const startedAtMs = performance.now();
      await Promise.all(['away', 'busy', 'online', 'away'].map((status, n) => set(self!, `many-${round}-${n}`, status)));
      tookMs = performance.now() - startedAtMs;
      await eventually(() => { expect(heard(before).at(-1)).toBe('p1 away'); });
      expect(performance.now() - startedAtMs).toBeGreaterThan(290);
      expect(await watch(watcher!, 'p1')).toEqual({ p1: 'away' });
      // What took longer than the grace may be told in between.
      if (tookMs <= 250) expect(heard(before)).toEqual(['p1 away']);
      else {
        expect(round).toBeLessThan(10);
        await set(self!, `again-${round}`, 'online');
        await eventually(() => { expect(changesHeard(watcher!).at(-1)).toBe('p1 online'); });
        await bench.announced('p1', 'p2');
      }
    }
    const before = changesHeard(watcher!).length;
    leave(self);
    await eventually(() => { expect(heard(before)).toEqual(['p1 offline']); });
    leave(watcher);
    await quiet();
  });

  it('[CMD2] [CMD3] has one effect per command id: the same answer again, another payload is refused', async () => {
    const [self, mate] = await enter(bench, 'p1', 'p2');
    expect(await set(self!, 'once', 'away')).toEqual({ ok: true, data: {} });
    expect(await set(self!, 'once', 'away')).toEqual({ ok: true, data: {} });
    expect(await set(self!, 'once', 'busy')).toMatchObject({ ok: false, error: { code: 'payload/invalid', path: 'commandId' } });
    await set(self!, 'twice', 'busy');
    expect(await set(self!, 'once', 'away')).toEqual({ ok: true, data: {} });
    await set(self!, 'last', 'online');
    await eventually(() => { expect(told(mate!, 'c1').at(-1)).toBe('online'); });
    expect(told(mate!, 'c1')).toEqual(['away', 'busy', 'online']);
    const ttl = await bench.redis.pttl(bench.keys.command('p1' as UserId, 'character:status', 'once'));
    expect(ttl).toBeGreaterThan(590_000);
    leave(self, mate);
    await quiet();
  });

  it('[CMD2] that was cut off before the zone heard of it is told by its repetition, unless another one has come since', async () => {
    const [self, mate] = await enter(bench, 'p1', 'p2');
    // As a gateway leaves it that dies between the two: the seat and the command are written, nobody was told.
    const { socketId } = bench.served(0).sessions.of('p1' as UserId)[0]!;
    await set(self!, 'told', 'away');
    for (const key of await bench.redis.keys(`${bench.keys.prefix}emitted:*`)) await bench.redis.del(key);
    expect(await seatOf('c1')).toMatchObject({ status: 'away', socketId, commandId: 'told' });
    expect(await set(self!, 'told', 'away')).toEqual({ ok: true, data: {} });
    await eventually(() => { expect(told(mate!, 'c1')).toEqual(['away', 'away']); });
    await set(self!, 'newer', 'busy');
    for (const key of await bench.redis.keys(`${bench.keys.prefix}emitted:*`)) await bench.redis.del(key);
    await set(self!, 'told', 'away');
    await set(self!, 'end', 'online');
    await eventually(() => { expect(told(mate!, 'c1').at(-1)).toBe('online'); });
    expect(told(mate!, 'c1')).toEqual(['away', 'away', 'busy', 'online']);
    leave(self, mate);
    await quiet();
  });

  it('[CHR5] of a socket that is not the newest is stale, and that of the newest is online', async () => {
    const older = await join(bench.gateways[0]!, 'p1');
    const mate = await join(bench.gateways[1]!, 'p2');
    await set(older, 'mine', 'busy');
    await eventually(async () => { expect(await rosterStatus(mate, 'c1')).toBe('busy'); });
    const newer = await join(bench.gateways[2]!, 'p1');
    expect(codeOf((await set(older, 'late', 'away')) as never)).toBe('character/stale');
    for (const client of [older, mate, newer]) await eventually(async () => { expect(await rosterStatus(client, 'c1')).toBe('online'); });
    await eventually(() => { expect(enteredStatuses(mate, 'c1').at(-1)).toBe('online'); });
    expect(await set(newer, 'late', 'away')).toEqual({ ok: true, data: {} });
    await eventually(async () => { expect(await rosterStatus(mate, 'c1')).toBe('away'); });
    leave(newer);
    await eventually(async () => { expect(await seatOf('c1')).toMatchObject({ status: 'online' }); });
    await eventually(async () => { expect(await rosterStatus(mate, 'c1')).toBe('online'); });
    expect(await set(older, 'again', 'busy')).toEqual({ ok: true, data: {} });
    leave(older, mate);
    await quiet();
  });

  it('[CHR8] ends with the connection that set it', async () => {
    const [self, mate] = await enter(bench, 'p1', 'p2');
    await set(self!, 'gone', 'away');
    await eventually(async () => { expect(await rosterStatus(mate!, 'c1')).toBe('away'); });
    leave(self);
    await eventually(async () => { expect(await rosterStatus(mate!, 'c1')).toBeUndefined(); });
    const again = await join(bench.gateways[2]!, 'p1');
    await eventually(async () => { expect(await rosterStatus(mate!, 'c1')).toBe('online'); });
    expect(await seatOf('c1')).toMatchObject({ status: 'online' });
    leave(again, mate);
    await quiet();
  });

  it('[CHR8] stays when the character changes its zone', async () => {
    const [self] = await enter(bench, 'p1');
    await set(self!, 'moving', 'busy');
    const { transport, sessions } = bench.served(0);
    const { socketId } = sessions.of('p1' as UserId)[0]!;
    await transport.enterZone(socketId, 'forest' as ZoneId);
    expect(JSON.parse((await bench.redis.hget(bench.keys.roster('forest' as ZoneId), 'c1')) ?? '{}')).toMatchObject({ socketId, status: 'busy' });
    leave(self);
    await quiet();
  });

  it('[CHR6] of a user without a character, and one that does not exist, is refused', async () => {
    const [self] = await enter(bench, 'p1');
    expect(await set(self!, 'x', 'offline')).toMatchObject({ ok: false, error: { code: 'payload/invalid', path: 'status' } });
    expect(await set(self!, 'x y', 'away')).toMatchObject({ ok: false, error: { code: 'payload/invalid', path: 'commandId' } });
    const session = bench.served(0).sessions.of('p1' as UserId)[0]!;
    session.player = { ...session.player, character: null };
    expect(codeOf((await set(self!, 'none', 'away')) as never)).toBe('character/not-found');
    leave(self);
    await quiet();
  });
});

