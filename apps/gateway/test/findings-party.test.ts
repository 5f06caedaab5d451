import type { UserId } from '@skirmish/protocol';
import { keysOf, type RealmKeys } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gather, PartyGuests, type PartyPlayer } from './_parties.ts';
import { type RoomsBench, startRoomsBench } from './_rooms.ts';

let bench: RoomsBench;
let keys: RealmKeys;
let testCase = 0;
const guests = new PartyGuests();
beforeAll(async () => {
  bench = await startRoomsBench(Array.from({ length: 60 }, (_, n) => `p${n + 41}`), { RATE_LIMIT_SCALE: '1000', PRESENCE_GRACE_MS: '300', PARTY_SWEEP_MS: '50' });
  keys = keysOf(bench.gateways[0]!.realm as never);
});
afterEach(() => guests.leave());
afterAll(() => bench[Symbol.asyncDispose]());

const enter = (gateway: number, userId: string): Promise<PartyPlayer> => guests.enter(bench, gateway, userId);

interface Stored {
  v: unknown;
  id: unknown;
  leaderId: unknown;
  members: Record<string, unknown>[];
  invitations: unknown;
}
const withFirst = (party: Stored, change: object): object => ({ ...party, members: [{ ...party.members[0], ...change }, ...party.members.slice(1)] });

describe.each<[string, (party: Stored) => string]>([
  ['no JSON', () => '{'],
  ['a number', () => '5'],
  ['null', () => 'null'],
  ['a text', () => '"party"'],
  ['a list', () => '[]'],
  ['nothing', () => '{}'],
  ['a newer version', (party) => JSON.stringify({ ...party, v: 2, members: { p1: true, p2: true } })],
  ['a newer version that looks like ours', (party) => JSON.stringify({ ...party, v: 2 })],
  ['no version', (party) => JSON.stringify({ ...party, v: undefined })],
  ['a version that is a text', (party) => JSON.stringify({ ...party, v: '1' })],
  ['another id', (party) => JSON.stringify({ ...party, id: 'pt_other' })],
  ['no leader', (party) => JSON.stringify({ ...party, leaderId: undefined })],
  ['no members', (party) => JSON.stringify({ ...party, members: undefined })],
  ['an empty list of members', (party) => JSON.stringify({ ...party, members: [] })],
  ['members that are numbers', (party) => JSON.stringify({ ...party, members: [1, 2] })],
  ['a member without a user', (party) => JSON.stringify({ ...party, members: [...party.members, { name: 'x', online: true }] })],
  ['a member without a name', (party) => JSON.stringify(withFirst(party, { name: null }))],
  ['a member who is neither online nor away', (party) => JSON.stringify(withFirst(party, { online: 'yes' }))],
  ['an absence without a time', (party) => JSON.stringify(withFirst(party, { goneSinceMs: 'long ago' }))],
  ['no invitations', (party) => JSON.stringify({ ...party, invitations: undefined })],
  ['invitations without an end', (party) => JSON.stringify({ ...party, invitations: { p3: true } })],
])('a party that is stored with %s', (_what, damaged) => {
  it('refuses every command for now and changes nothing, and neither the sweep nor those who connect stop at it', async () => {
    const first = 4 * (testCase += 1);
    const [lead, second, third, other] = [0, 1, 2, 3].map((n) => `p${first + n}`) as [string, string, string, string];
    const [leader, member, guest] = [await enter(0, lead), await enter(1, second), await enter(2, third)];
    const { id } = await gather(leader, member);
    await leader.invite(third);
    const whole = (await bench.redis.get(keys.party(id)))!;
    await bench.redis.set(keys.party(id), damaged(JSON.parse(whole) as Stored));
    const stored = () => bench.redis.mget(keys.party(id), ...[lead, second, third].map((userId) => keys.partyOf(userId as UserId)));
    const before = await stored();
    const commands = [
      [leader, 'party:create', {}], [leader, 'party:invite', { userId: other }], [leader, 'party:kick', { userId: second }], [leader, 'party:promote', { userId: second }],
      [leader, 'party:leave', {}], [member, 'party:leave', {}], [guest, 'party:accept', { partyId: id }], [guest, 'party:decline', { partyId: id }],
    ] as const;
    const answers = await Promise.all(commands.map(([player, event, payload]) => player.ask(event, payload)));
    expect(answers.map((answer) => answer.ok || answer.error.code)).toEqual(commands.map(() => 'server/unavailable'));
    const [again, neighbour] = await Promise.all([enter(0, lead), enter(0, other)]);
    expect([again.welcome.party, neighbour.welcome.party]).toEqual([null, null]);
    const { id: next } = await neighbour.create();
    await bench.redis.zadd(keys.parties, 0, id, 1, next);
    await eventually(async () => expect(Math.min(...(await bench.redis.zmscore(keys.parties, id, next)).map(Number))).toBeGreaterThan(1), { what: 'a look at both parties' });
    expect(await stored()).toEqual(before);
    await bench.redis.set(keys.party(id), whole);
    await leader.kick(second);
    await leader.leave();
    expect(await bench.redis.exists(keys.party(id))).toBe(0);
  });
});
