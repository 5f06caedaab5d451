import type { Party, PartyId } from '@skirmish/protocol';
import { partyMembersMax } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gather, idsOf, noPartyIsLeft, PartyGuests, type PartyPlayer } from './_parties.ts';
import { type RoomsBench, startRoomsBench } from './_rooms.ts';

let bench: RoomsBench;
const guests = new PartyGuests();
beforeAll(async () => {
  bench = await startRoomsBench([], { RATE_LIMIT_SCALE: '100' });
});
afterEach(() => guests.leave());
afterAll(() => bench[Symbol.asyncDispose]());

const enter = (gateway: number, userId: string): Promise<PartyPlayer> => guests.enter(bench, gateway, userId);

const updates = (player: PartyPlayer): Party[] => player.client.payloads<{ party: Party }>('party:updated').map(({ party }) => party);

describe('a party', () => {
  it('[PTY1] [PTY7] is founded, joined and led on three gateways, and each change is told once to every member', async () => {
    const [leader, second, third] = [await enter(0, 'p1'), await enter(1, 'p2'), await enter(2, 'p3')];
    const founded = await leader.create();
    expect(founded).toEqual({ id: expect.stringMatching(/^pt_/), leaderId: 'p1', members: [{ userId: 'p1', name: 'Player 1', online: true }] });
    expect(await leader.invite('p2')).toEqual(founded);
    expect(await second.client.hears('party:invited')).toEqual({ party: founded, from: { userId: 'p1', name: 'Player 1' } });
    const two = await second.accept(founded.id);
    expect(idsOf(two)).toEqual(['p1', 'p2']);
    await expect(second.invite('p3')).rejects.toThrow('party/not-leader');
    await expect(second.kick('p1')).rejects.toThrow('party/not-leader');
    await expect(second.promote('p2')).rejects.toThrow('party/not-leader');
    expect((await leader.promote('p2')).leaderId).toBe('p2');
    await second.invite('p3');
    const three = await third.accept(founded.id);
    expect(three).toMatchObject({ leaderId: 'p2', members: [{ userId: 'p1' }, { userId: 'p2' }, { userId: 'p3' }] });
    const rest = await second.kick('p1');
    expect(idsOf(rest)).toEqual(['p2', 'p3']);
    await eventually(() => expect(updates(third)).toEqual([three, rest]));
    await eventually(() => expect(updates(leader).map(idsOf)).toEqual([['p1'], ['p1', 'p2'], ['p1', 'p2'], ['p1', 'p2', 'p3'], ['p2', 'p3']]));
    await second.leave();
    await third.client.hears<{ party: Party }>('party:updated', ({ party }) => party.leaderId === 'p3');
    await third.leave();
    expect(await third.client.hears('party:disbanded')).toEqual({ partyId: founded.id });
    await noPartyIsLeft(bench);
    expect(leader.client.payloads('party:disbanded').length + second.client.payloads('party:disbanded').length).toBe(0);
    expect(updates(leader)).toHaveLength(5);
  });

  it('[PTY2] [PTY6] refuses what its rules forbid, and answers the party where nothing is to be done', async () => {
    const [leader, other] = [await enter(0, 'p1'), await enter(1, 'p2')];
    await expect(leader.invite('p2')).rejects.toThrow('party/none');
    await expect(leader.leave()).rejects.toThrow('party/none');
    await expect(leader.accept('pt_nobody' as PartyId)).rejects.toThrow('party/not-invited');
    await expect(leader.decline('pt_nobody' as PartyId)).rejects.toThrow('party/not-invited');
    const party = await gather(leader, other);
    const before = updates(leader).length;
    expect(await leader.invite('p2')).toEqual(party);
    expect(await other.accept(party.id)).toEqual(party);
    expect(await leader.promote('p1')).toEqual(party);
    expect(await other.create()).toEqual(party);
    await expect(leader.kick('p1')).rejects.toMatchObject({ message: 'payload/invalid', path: 'userId' });
    await expect(leader.kick('p9')).rejects.toThrow('party/not-member');
    await expect(leader.promote('p9')).rejects.toThrow('party/not-member');
    const third = await enter(2, 'p3');
    await leader.invite('p3');
    await third.decline(party.id);
    await expect(third.accept(party.id)).rejects.toThrow('party/not-invited');
    expect(updates(leader)).toHaveLength(before);
    expect(third.client.payloads('party:invited')).toHaveLength(1);
  });

  it('[PTY4] is the only one of its members: whoever accepts elsewhere leaves it in the same step', async () => {
    const [first, second, mover] = [await enter(0, 'p1'), await enter(1, 'p2'), await enter(2, 'p3')];
    const old = await gather(first, mover);
    const next = await second.create();
    await second.invite('p3');
    expect(idsOf(await mover.accept(next.id))).toEqual(['p2', 'p3']);
    await first.client.hears<{ party: Party }>('party:updated', ({ party }) => idsOf(party).length === 1 && party.id === old.id);
    await eventually(() => expect(mover.told).toMatchObject({ id: next.id }));
    const rooms = [...bench.session(2, 'p3').socket.rooms].filter((room) => room.startsWith('party:'));
    expect(rooms).toEqual([`party:${next.id}`]);
    await second.invite('p1');
    await first.accept(next.id);
    expect(await first.client.hears('party:disbanded')).toEqual({ partyId: old.id });
  });

  it('[PTY2] [PTY5] has 8 members at most, and 16 open invitations', async () => {
    const leader = await enter(0, 'p1');
    const others: PartyPlayer[] = [];
    for (let n = 2; n <= partyMembersMax + 1; n += 1) others.push(await enter(n % 3, `p${n}`));
    const last = others.pop()!;
    const founded = await leader.create();
    for (let n = 20; n < 36; n += 1) await leader.invite(`p${n}`);
    await expect(leader.invite('p36')).rejects.toThrow('party/full');
    await leader.invite('p20');
    await leader.leave();
    const party = await gather(leader, ...others.slice(0, -1));
    await leader.invite(last.userId);
    await leader.invite(others.at(-1)!.userId);
    await others.at(-1)!.accept(party.id);
    await expect(last.accept(party.id)).rejects.toThrow('party/full');
    await expect(leader.invite('p36')).rejects.toThrow('party/full');
    await others[0]!.leave();
    expect(idsOf(await last.accept(party.id))).toHaveLength(partyMembersMax);
    expect(founded.id).not.toBe(party.id);
  });

  it('[PTY5] gives the last place to one of two who accept at once on different gateways, 40 times', async () => {
    const leader = await enter(0, 'p1');
    const others: PartyPlayer[] = [];
    for (let n = 2; n < partyMembersMax; n += 1) others.push(await enter(n % 3, `p${n}`));
    const rivals = [await enter(1, 'p21'), await enter(2, 'p22')];
    const party = await gather(leader, ...others);
    expect(party.members).toHaveLength(partyMembersMax - 1);
    const wins = [0, 0];
    for (let round = 0; round < 40; round += 1) {
      for (const { userId } of rivals) await leader.invite(userId);
      const outcomes = await Promise.allSettled(rivals.map((rival) => rival.accept(party.id)));
      const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
      expect(winners).toHaveLength(1);
      expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { message: 'party/full' } });
      const winner = winners[0]!;
      wins[winner]! += 1;
      const now = await leader.kick(rivals[winner]!.userId);
      expect(now.members).toHaveLength(partyMembersMax - 1);
    }
    expect(wins[0]! + wins[1]!).toBe(40);
  }, 60_000);

  it('[CMD2] [CMD3] [PTY12] has one effect per command, and forgets what it refused', async () => {
    const [leader, other] = [await enter(0, 'p1'), await enter(1, 'p2')];
    const founded = await leader.create('found');
    expect(await leader.create('found')).toEqual(founded);
    await leader.invite('p2', 'invite');
    await leader.invite('p2', 'invite');
    await expect(leader.invite('p3', 'invite')).rejects.toMatchObject({ message: 'payload/invalid', path: 'commandId' });
    const joined = await other.accept(founded.id, 'join');
    await other.leave('go');
    expect(await other.accept(founded.id, 'join')).toEqual(joined);
    await other.leave('go');
    await expect(other.accept(founded.id, 'again')).rejects.toThrow('party/not-invited');
    await leader.invite('p2');
    expect(idsOf(await other.accept(founded.id, 'again'))).toEqual(['p1', 'p2']);
    expect(other.client.payloads('party:invited')).toHaveLength(2);
    await eventually(() => expect(updates(leader).map((party) => idsOf(party).length)).toEqual([1, 2, 1, 2]));
  });

  it('[PTY11] is entered, and left, when the answer comes', async () => {
    const [leader, member] = [await enter(0, 'p1'), await enter(1, 'p2')];
    const party = await leader.create();
    await leader.invite('p2');
    const { transport } = bench.served(1);
    const { redis, gateways } = bench;
    const keys = keysOf(gateways[0]!.realm as never);
    const { reader } = transport as unknown as { reader: { hold(): void; release(): void } };
    for (const [event, payload, isIn] of [['party:accept', { partyId: party.id }, true], ['party:leave', {}, false]] as const) {
      reader.hold();
      let isAnswered = false;
      const answer = member.ask(event, payload, 'held').finally(() => { isAnswered = true; });
      await eventually(() => redis.exists(keys.command(member.userId, event, 'held')), { intervalMs: 1 });
      for (let n = 0; n < 3; n += 1) await member.client.ask('session:ping', { atMs: n });
      expect(isAnswered).toBe(false);
      reader.release();
      expect(await answer).toMatchObject({ ok: true });
      expect(bench.session(1, 'p2').socket.rooms.has(`party:${party.id}`)).toBe(isIn);
    }
  });

  it('[CMD2] [PTY11] is entered, and left, when the answer comes to a repeated command on the same gateway, too', async () => {
    const [leader, member, again] = [await enter(0, 'p1'), await enter(1, 'p2'), await enter(1, 'p2')];
    const party = await leader.create();
    await leader.invite('p2');
    const keys = keysOf(bench.gateways[0]!.realm as never);
    const { reader } = bench.served(1).transport as unknown as { reader: { hold(): void; release(): void } };
    for (const [event, payload, isIn] of [['party:accept', { partyId: party.id }, true], ['party:leave', {}, false]] as const) {
      reader.hold();
      const first = member.ask(event, payload, 'twice');
      await eventually(() => bench.redis.exists(keys.command(member.userId, event, 'twice')), { intervalMs: 1 });
      let isAnswered = false;
      const decided = () => bench.gateways[1]!.logs.filter((line) => line.includes('a command of a party was decided') && line.includes('"outcome":"repeated"')).length;
      const before = decided();
      const repeated = again.ask(event, payload, 'twice').finally(() => { isAnswered = true; });
      await eventually(() => decided() > before);
      for (let n = 0; n < 3; n += 1) await again.client.ask('session:ping', { atMs: n });
      expect(isAnswered).toBe(false);
      reader.release();
      expect(await repeated).toEqual(await first);
      expect(bench.session(1, 'p2').socket.rooms.has(`party:${party.id}`)).toBe(isIn);
    }
  });

  it('keeps the id of a repeated founding when Redis forgot it, and gives another one while others live under it', async () => {
    const [leader, other] = [await enter(0, 'p1'), await enter(1, 'p2')];
    const keys = keysOf(bench.gateways[0]!.realm as never);
    const forget = () => bench.redis.del(keys.command(leader.userId, 'party:create', 'once'));
    const { id } = await leader.create('once');
    await leader.leave();
    await forget();
    expect((await leader.create('once')).id).toBe(id);
    await leader.invite('p2');
    await other.accept(id);
    await leader.leave();
    await forget();
    const second = await leader.create('once');
    expect(second.id.startsWith(`${id}-`)).toBe(true);
    await eventually(() => expect(idsOf(other.told!)).toEqual(['p2']));
  });

  it('is heard by nobody else, and is in the room of every socket of its members', async () => {
    const [leader, sameUser, member, stranger, guest] = [await enter(0, 'p1'), await enter(2, 'p1'), await enter(1, 'p3'), await enter(1, 'p5'), await enter(2, 'p7')];
    const party = await gather(leader, member);
    await leader.invite('p7');
    await guest.client.hears('party:invited');
    await bench.served(1).transport.emitter.emit({ rooms: [`party:${party.id}` as never] }, 'app:secret', {});
    for (const player of [leader, sameUser, member]) await player.client.hears('app:secret' as never);
    await bench.served(1).transport.emitter.emit({ rooms: ['realm' as never] }, 'app:end', {});
    for (const player of [leader, sameUser, member, stranger, guest]) await player.client.hears('app:end' as never);
    const heard = ({ client }: PartyPlayer) => client.heard.map(({ event }) => event).filter((event) => event.startsWith('party:') || event === 'app:secret');
    expect(heard(stranger)).toEqual([]);
    expect(heard(guest)).toEqual(['party:invited']);
    expect(heard(sameUser)).toEqual(['party:updated', 'party:updated', 'app:secret']);
    await sameUser.leave();
    await expect(leader.leave()).rejects.toThrow('party/none');
  });
});
