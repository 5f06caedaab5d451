import type { Party } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually, timePasses } from '@skirmish/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { untilInTime, within } from './_in-time.ts';
import { gather, idsOf, noPartyIsLeft, PartyPlayer } from './_parties.ts';
import { type RoomsBench, startRoomsBench } from './_rooms.ts';

const windowMs = 4_500;
const graceMs = 800;
const invitationMs = 2_000;

let bench: RoomsBench;
const players: PartyPlayer[] = [];
beforeAll(async () => {
  bench = await startRoomsBench([], {
    RATE_LIMIT_SCALE: '100',
    RESUME_WINDOW_MS: String(windowMs),
    PRESENCE_GRACE_MS: String(graceMs),
    PARTY_INVITATION_MS: String(invitationMs),
    PARTY_SWEEP_MS: '50',
  });
});
async function allLeave(): Promise<void> {
  for (const player of players.splice(0)) {
    if (player.client.socket.connected) await player.leave().catch(() => undefined);
    player[Symbol.dispose]();
  }
  await eventually(async () => (await bench.redis.zcard(keysOf(bench.gateways[0]!.realm as never).parties)) === 0, { timeoutMs: 5 * windowMs, what: 'the end of all parties' });
}
afterEach(allLeave);
afterAll(() => bench[Symbol.asyncDispose]());

async function enter(gateway: number, userId: string): Promise<PartyPlayer> {
  const player = await PartyPlayer.join(bench, gateway, userId);
  players.push(player);
  return player;
}

const updates = (player: PartyPlayer): Party[] => player.client.payloads<{ party: Party }>('party:updated').map(({ party }) => party);
/** The next try begins without any party. */
const notInTime = async (): Promise<false> => {
  await allLeave();
  return false;
};
/**
 * A scene in which somebody who is away has to be back within the window: `back` says whether that was so, and a scene that fails before it was out of time
 * as well when the window was over.
 */
const playedInTime = (scene: (leaves: () => { back: () => void }) => Promise<void>): Promise<void> => untilInTime(async () => {
  const absences: (() => boolean)[] = [];
  const leaves = (): { back: () => void } => {
    const inTime = within(windowMs);
    const index = absences.push(inTime) - 1;
    return { back: () => { const wasInTime = inTime(); absences[index] = () => wasInTime; } };
  };
  try {
    await scene(leaves);
    return true;
  } catch (error) {
    if (absences.every((inTime) => inTime())) throw error;
    return notInTime();
  }
});
const lineOf = ({ leaderId, members }: Party): string => `${leaderId}: ${members.map(({ userId, online }) => (online ? userId : `(${userId})`)).join(' ')}`;
const hears = (player: PartyPlayer, line: string) => player.client.hears<{ party: Party }>('party:updated', ({ party }) => lineOf(party) === line);

describe('a member who is away', () => {
  it('[PTY9] is not seen to be for the grace, then it is, and at once when it is back', () => untilInTime(async () => {
    const [leader, member] = [await enter(0, 'p1'), await enter(1, 'p2')];
    await gather(leader, member);
    const before = updates(leader).length;
    const inTime = within(graceMs);
    await member.drop(bench, 1);
    expect(await member.comeBack(bench, 2)).toBe(true);
    if (!inTime()) return notInTime();
    await timePasses(2 * graceMs, 'a grace in which nothing may be told');
    expect(updates(leader)).toHaveLength(before);
    const keepsItsPlace = within(windowMs);
    await member.drop(bench, 2);
    await hears(leader, 'p1: p1 (p2)');
    const isBack = await member.comeBack(bench, 0);
    if (!keepsItsPlace()) return notInTime();
    expect(isBack).toBe(true);
    await hears(leader, 'p1: p1 p2');
    expect(lineOf(member.welcome.party!)).toBe('p1: p1 p2');
    await eventually(() => expect(updates(member).map(lineOf).slice(-2)).toEqual(['p1: p1 (p2)', 'p1: p1 p2']));
    expect(updates(leader)).toHaveLength(before + 2);
    return true;
  }), 60_000);

  it('[PTY9] has no drop shown that began after it was back', () => untilInTime(async () => {
    const [leader, member] = [await enter(0, 'p1'), await enter(1, 'p2')];
    await gather(leader, member);
    const before = updates(leader).length;
    for (let round = 0; round < 4; round += 1) {
      const inTime = within(graceMs);
      await member.drop(bench, 1);
      await timePasses(graceMs / 3, 'an absence that is shorter than the grace');
      await member.comeBack(bench, 1);
      if (!inTime()) return notInTime();
    }
    await timePasses(graceMs, 'the rest of the grace');
    expect(updates(leader)).toHaveLength(before);
    return true;
  }), 60_000);

  it('[PTY9] loses its place after the window, and the party ends with its last member', async () => {
    const [leader, member] = [await enter(0, 'p1'), await enter(1, 'p2')];
    const party = await gather(leader, member);
    await member.drop(bench, 1);
    await eventually(() => expect(updates(leader).map(lineOf).at(-1)).toBe('p1: p1'), { timeoutMs: 2 * windowMs });
    expect(await member.comeBack(bench, 1)).toBe(false);
    expect(member.welcome.party).toBeNull();
    await leader.drop(bench, 0);
    const keys = keysOf(bench.gateways[0]!.realm as never);
    await eventually(async () => (await bench.redis.exists(keys.party(party.id), keys.partyOf(leader.userId), keys.parties)) === 0, { timeoutMs: 2 * windowMs });
    await noPartyIsLeft(bench);
  }, 30_000);

  it('[PTY8] leads no longer after the window: the first who is online does, in the order of joining', () => untilInTime(async () => {
    const [leader, second, third] = [await enter(0, 'p1'), await enter(1, 'p2'), await enter(2, 'p3')];
    await gather(leader, second, third);
    const leads = within(windowMs);
    await leader.drop(bench, 0);
    await timePasses(windowMs / 2, 'half of the window');
    const inTime = within(windowMs);
    await second.drop(bench, 1);
    const lines = (): string[] => updates(third).map(lineOf);
    await eventually(() => lines().some((line) => line.includes('(p2)')), { timeoutMs: 2 * windowMs });
    if (!leads()) return notInTime();
    await eventually(() => lines().some((line) => line.startsWith('p3: ')), { timeoutMs: 2 * windowMs });
    const isBack = await second.comeBack(bench, 0);
    if (!inTime()) return notInTime();
    expect(isBack).toBe(true);
    await hears(third, 'p3: p2 p3');
    expect(lines().slice(-3)).toEqual(['p1: (p1) (p2) p3', 'p3: (p2) p3', 'p3: p2 p3']);
    return true;
  }), 60_000);

  it('[PTY8] leads still when it is back within the window', () => untilInTime(async () => {
    const [leader, second] = [await enter(0, 'p1'), await enter(1, 'p2')];
    await gather(leader, second);
    const inTime = within(windowMs);
    await leader.drop(bench, 0);
    await hears(second, 'p1: (p1) p2');
    await timePasses(windowMs / 2, 'half of the window');
    const isBack = await leader.comeBack(bench, 2);
    if (!inTime()) return notInTime();
    expect(isBack).toBe(true);
    await hears(second, 'p1: p1 p2');
    await timePasses(windowMs, 'the rest of the window and more');
    expect(lineOf(second.told!)).toBe('p1: p1 p2');
    await expect(second.kick('p1')).rejects.toThrow('party/not-leader');
    return true;
  }), 60_000);

  it('[PTY8] when the leader leaves, the longest member leads where nobody is online', () => playedInTime(async (leaves) => {
    const [leader, second, third] = [await enter(0, 'p1'), await enter(1, 'p2'), await enter(2, 'p3')];
    await gather(leader, second, third);
    const both = leaves();
    await Promise.all([second.drop(bench, 1), third.drop(bench, 2)]);
    await hears(leader, 'p1: p1 (p2) (p3)');
    await leader.leave();
    await hears(leader, 'p2: (p2) (p3)');
    const isBack = await third.comeBack(bench, 1);
    both.back();
    expect(isBack).toBe(true);
    expect(lineOf(third.welcome.party!)).toBe('p2: (p2) p3');
  }), 60_000);
});

describe('a session that comes back', () => {
  it('[PTY7] was kicked while it was away: hears of it, and nothing of the party after it', () => playedInTime(async (leaves) => {
    const [leader, member, third] = [await enter(0, 'p1'), await enter(1, 'p2'), await enter(2, 'p3')];
    const party = await gather(leader, member, third);
    await eventually(() => expect(idsOf(member.told!)).toHaveLength(3));
    const absence = leaves();
    await member.drop(bench, 1);
    await leader.kick('p2');
    await leader.promote('p3');
    await bench.served(0).transport.emitter.emit({ rooms: [`party:${party.id}` as never] }, 'app:secret', {});
    const isBack = await member.comeBack(bench, 2);
    absence.back();
    expect(isBack).toBe(true);
    expect(member.welcome.party).toBeNull();
    await hears(member, 'p1: p1 p3');
    expect(member.welcome.rooms).not.toContain(`party:${party.id}`);
    await bench.served(0).transport.emitter.emit({ rooms: ['realm' as never] }, 'app:end', {});
    await member.client.hears('app:end' as never);
    expect(updates(member).map(idsOf).at(-1)).toEqual(['p1', 'p3']);
    expect(updates(member).at(-1)?.leaderId).toBe('p1');
    expect(member.client.payloads('app:secret' as never)).toEqual([]);
  }), 60_000);

  it('[PTY10] has joined with another socket while it was away, or left: it is where its user is, and heard everything of its stays', () => playedInTime(async (leaves) => {
    const [leader, away, other] = [await enter(0, 'p1'), await enter(1, 'p2'), await enter(2, 'p2')];
    const party = await leader.create();
    await bench.served(0).transport.emitter.emit({ rooms: ['user:p2' as never] }, 'app:begin', {});
    await away.client.hears('app:begin' as never);
    const first = leaves();
    await away.drop(bench, 1);
    await leader.invite('p2');
    await other.accept(party.id);
    await bench.served(0).transport.emitter.emit({ rooms: [`party:${party.id}` as never] }, 'app:first', {});
    const isBack = await away.comeBack(bench, 0);
    first.back();
    expect(isBack).toBe(true);
    expect(away.welcome).toMatchObject({ party: { id: party.id }, rooms: expect.arrayContaining([`party:${party.id}`]) });
    await away.client.hears('app:first' as never);
    expect(updates(away).map(idsOf)).toEqual([['p1', 'p2']]);
    const second = leaves();
    await away.drop(bench, 0);
    await other.leave();
    await leader.create();
    await bench.served(0).transport.emitter.emit({ rooms: [`party:${party.id}` as never] }, 'app:second', {});
    const isBackAgain = await away.comeBack(bench, 1);
    second.back();
    expect(isBackAgain).toBe(true);
    expect(away.welcome.party).toBeNull();
    await bench.served(0).transport.emitter.emit({ rooms: ['realm' as never] }, 'app:end', {});
    await away.client.hears('app:end' as never);
    expect(updates(away).map(idsOf)).toEqual([['p1', 'p2'], ['p1']]);
    expect(away.client.payloads('app:second' as never)).toEqual([]);
  }), 60_000);

  it('[PTY10] begins anew in the party, with its state in the welcome', async () => {
    const [leader, member] = [await enter(0, 'p1'), await enter(1, 'p2')];
    const party = await gather(leader, member);
    const fresh = await enter(2, 'p2');
    expect(fresh.welcome.party).toEqual(party);
    expect(fresh.welcome.rooms).toContain(`party:${party.id}`);
    await leader.promote('p2');
    await hears(fresh, 'p2: p1 p2');
  });

  it('[PTY10] loses no change that falls into its connecting', async () => {
    const leader = await enter(0, 'p1');
    const party = await leader.create();
    const other = await enter(0, 'p9');
    for (let round = 0; round < 15; round += 1) {
      await leader.invite('p9');
      const [fresh] = await Promise.all([enter(1 + (round % 2), 'p9'), other.accept(party.id)]);
      await leader.promote('p1');
      await bench.served(0).transport.emitter.emit({ rooms: [`party:${party.id}` as never] }, 'app:mark', { round });
      await fresh.client.hears<{ round: number }>('app:mark' as never, (mark) => mark.round === round);
      const [leaving] = await Promise.all([enter(1 + (round % 2), 'p9'), other.leave()]);
      await bench.served(0).transport.emitter.emit({ rooms: [`party:${party.id}` as never] }, 'app:after', { round });
      await bench.served(0).transport.emitter.emit({ rooms: ['user:p9' as never] }, 'app:end', { round });
      await leaving.client.hears<{ round: number }>('app:end' as never, (end) => end.round === round);
      await fresh.client.hears<{ round: number }>('app:end' as never, (end) => end.round === round);
      expect([...leaving.client.payloads('app:after' as never), ...fresh.client.payloads('app:after' as never)]).toEqual([]);
      const known = leaving.told ?? leaving.welcome.party;
      expect(known === null || !idsOf(known).includes('p9')).toBe(true);
      for (const player of players.splice(2)) player[Symbol.dispose]();
    }
  }, 60_000);
});

describe('time', () => {
  it('[PTY2] ends an invitation, and another one renews it', () => untilInTime(async () => {
    const [leader, guest] = [await enter(0, 'p1'), await enter(1, 'p2')];
    const party = await leader.create();
    await leader.invite('p2');
    await timePasses(invitationMs + 50, 'an invitation that ends');
    await expect(guest.accept(party.id)).rejects.toThrow('party/not-invited');
    await leader.invite('p2');
    await timePasses((3 * invitationMs) / 4, 'a part of its time');
    const inTime = within(invitationMs);
    await leader.invite('p2');
    await timePasses(invitationMs / 4 + 50, 'its first time is over');
    const accepted = await guest.accept(party.id).then(idsOf, String);
    if (!inTime()) return notInTime();
    expect(accepted).toEqual(['p1', 'p2']);
    return true;
  }), 60_000);

  it('does not stop at a party that cannot be read', async () => {
    const keys = keysOf(bench.gateways[0]!.realm as never);
    await bench.redis.set(keys.party('pt_bad' as never), 'no JSON');
    await bench.redis.zadd(keys.parties, 0, 'pt_bad', 0, 'pt_gone');
    const [leader, member] = [await enter(0, 'p1'), await enter(1, 'p2')];
    await gather(leader, member);
    await member.drop(bench, 1);
    await hears(leader, 'p1: p1 (p2)');
    expect(bench.gateways.flatMap(({ logs }) => logs).some((line) => line.includes('a party cannot be read'))).toBe(true);
    await eventually(async () => (await bench.redis.zscore(keys.parties, 'pt_gone')) === null);
    await bench.redis.del(keys.party('pt_bad' as never));
    await bench.redis.zrem(keys.parties, 'pt_bad');
  });
});
