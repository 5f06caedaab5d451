import { type ClientEventName, type CombatId, type RefusalCode, roomOf, type ZoneId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyone } from '../src/connection/event-row.ts';
import { events } from '../src/connection/events.ts';
import { type Client, join, tokenFor } from './_gateway.ts';
import { putInZone, startRoomsBench, type RoomsBench } from './_rooms.ts';
import { callService } from './_service-caller.ts';

let bench: RoomsBench;
beforeAll(async () => {
  bench = await startRoomsBench(['stranger', 'leader'], { RATE_LIMIT_SCALE: '1000' });
  leading = await join(bench.gateways[2]!, 'leader');
});
afterAll(async () => {
  leading[Symbol.dispose]();
  await bench[Symbol.asyncDispose]();
});

/** Asks with one payload and says what was answered: `ok`, or the code of the refusal. */
type Ask = (payload: object) => Promise<RefusalCode | 'ok'>;

interface World {
  readonly client: Client;
  readonly userId: string;
  readonly ask: Ask;
  readonly commandId: () => string;
}

/** Who may: everybody who is connected; or a play that shows the same player allowed and refused as the state of the world changes. */
type Case = 'anyone' | ((world: World) => Promise<void>);

const served = () => bench.served(0);
const session = (userId: string) => bench.session(0, userId);
async function isIn(world: World, combatId: string): Promise<void> {
  const room = roomOf.combat(combatId as CombatId);
  await served().transport.emitter.join({ rooms: [roomOf.user(world.userId as never)] }, [room]);
  await eventually(() => session(world.userId).socket.rooms.has(room));
}
let leading: Client;
let commands = 0;
/** The leader of the newest party acts. */
async function leader(event: string, payload: object): Promise<Record<string, unknown>> {
  const answer = await leading.ask(event, { commandId: `l${(commands += 1)}`, ...payload });
  if (!answer.ok) throw new Error(answer.error.code);
  return answer.data;
}
async function newParty(): Promise<string> {
  await leader('party:create', {});
  await leader('party:leave', {});
  const { party } = await leader('party:create', {});
  return (party as { id: string }).id;
}
/** The player of the case becomes a member, not the leader, of a fresh party. */
async function asMember({ client, userId, commandId }: World): Promise<void> {
  const partyId = await newParty();
  await leader('party:invite', { userId });
  expect(await client.ask('party:accept', { commandId: commandId(), partyId })).toMatchObject({ ok: true });
}
const ledBy = ({ userId }: World) => leader('party:promote', { userId });

/** A user's seat and room become those of another zone. */
async function moved(userId: string, index: number, zoneId: string): Promise<void> {
  const { socketId, player } = bench.session(index, userId);
  const { transport, nsp } = bench.served(index);
  await transport.enterZone(socketId, zoneId as ZoneId);
  await transport.leave(socketId, [roomOf.zone(player.character!.zone.id)]);
  await eventually(() => nsp.sockets.get(socketId)?.rooms.has(roomOf.zone(player.character!.zone.id)) === false);
}
const service = async () => tokenFor('backend', { roles: ['service'] });

const channels = ([
  { kind: 'zone', id: 'forest' }, { kind: 'guild', id: 'no-member-of-it' }, { kind: 'party', id: 'none' }, { kind: 'combat', id: 'none' },
] as const);

/** One entry for each row of the table: the compiler asks for those that are missing. */
const cases: { readonly [E in keyof typeof events]: Case } = {
  'session:ping': 'anyone',
  'session:refresh': 'anyone',
  'character:move': 'anyone',
  'chat:send': async ({ userId, ask, commandId }) => {
    const say = (channel: object) => ask({ commandId: commandId(), channel, text: 'hello' });
    expect(await say({ kind: 'zone', id: 'meadow' })).toBe('ok');
    for (const channel of channels) expect(await say(channel)).toBe('room/forbidden');
    // The state decides, not what was true at the connect.
    putInZone(session(userId), 'forest', 500);
    expect(await say({ kind: 'zone', id: 'meadow' })).toBe('room/forbidden');
    expect(await say({ kind: 'zone', id: 'forest' })).toBe('ok');
    putInZone(session(userId), 'meadow', 500);
    await callService(bench.gateways[0]!, 'POST', `/v1/users/${userId}/sanctions`, { token: await service(), body: { kind: 'mute', reason: 'test' } });
    await eventually(async () => expect(await say({ kind: 'zone', id: 'meadow' })).toBe('chat/muted'));
  },
  'chat:typing': async ({ userId, ask }) => {
    expect(await ask({ channel: { kind: 'zone', id: 'meadow' } })).toBe('ok');
    for (const channel of channels) expect(await ask({ channel })).toBe('room/forbidden');
    putInZone(session(userId), 'forest', 500);
    expect(await ask({ channel: { kind: 'zone', id: 'meadow' } })).not.toBe('ok');
  },
  'zone:roster': async ({ userId, ask }) => {
    expect(await ask({ zoneId: 'meadow' })).toBe('ok');
    expect(await ask({ zoneId: 'forest' })).toBe('room/forbidden');
    putInZone(session(userId), 'forest', 500);
    expect(await ask({ zoneId: 'meadow' })).toBe('room/forbidden');
  },
  'combat:start': async ({ ask, commandId, client }) => {
    const own = client.payloads<{ characterId: string }>('session:welcome')[0]!.characterId;
    const start = (opponents: string[]) => ask({ commandId: commandId(), opponents });
    expect(await start(['nobody'])).toBe('combat/invalid-target');
    expect(await start([own])).toBe('combat/invalid-target');
    using other = await join(bench.gateways[1]!, 'p39');
    const there = other.payloads<{ characterId: string }>('session:welcome')[0]!.characterId;
    expect(await start([there])).toBe('ok');
    other[Symbol.dispose]();
    await eventually(async () => expect(await start([there])).toBe('combat/invalid-target'));
  },
  'character:status': async ({ userId, ask, commandId }) => {
    const say = (status: string) => ask({ commandId: commandId(), status });
    expect(await say('away')).toBe('ok');
    // A newer connection of the user controls the character.
    using newer = await join(bench.gateways[1]!, userId);
    expect(await say('busy')).toBe('character/stale');
    newer[Symbol.dispose]();
    await eventually(async () => expect(await say('busy')).toBe('ok'));
  },
  'party:create': 'anyone',
  'party:invite': async (world) => {
    const invite = () => world.ask({ commandId: world.commandId(), userId: 'p1' });
    expect(await invite()).toBe('party/none');
    await asMember(world);
    expect(await invite()).toBe('party/not-leader');
    await ledBy(world);
    expect(await invite()).toBe('ok');
  },
  'party:kick': async (world) => {
    const kick = (userId: string) => world.ask({ commandId: world.commandId(), userId });
    expect(await kick('leader')).toBe('party/none');
    await asMember(world);
    expect(await kick('leader')).toBe('party/not-leader');
    await ledBy(world);
    expect(await kick(world.userId)).toBe('payload/invalid');
    expect(await kick('nobody')).toBe('party/not-member');
    expect(await kick('leader')).toBe('ok');
  },
  'party:promote': async (world) => {
    const promote = (userId: string) => world.ask({ commandId: world.commandId(), userId });
    expect(await promote('leader')).toBe('party/none');
    await asMember(world);
    expect(await promote('leader')).toBe('party/not-leader');
    await ledBy(world);
    expect(await promote('nobody')).toBe('party/not-member');
    expect(await promote('leader')).toBe('ok');
  },
  'party:accept': async (world) => {
    const accept = (partyId: string) => world.ask({ commandId: world.commandId(), partyId });
    const partyId = await newParty();
    expect(await accept(partyId)).toBe('party/not-invited');
    expect(await accept('none')).toBe('party/not-invited');
    await leader('party:invite', { userId: world.userId });
    expect(await accept(partyId)).toBe('ok');
  },
  'party:decline': async (world) => {
    const decline = (partyId: string) => world.ask({ commandId: world.commandId(), partyId });
    const partyId = await newParty();
    expect(await decline(partyId)).toBe('party/not-invited');
    await leader('party:invite', { userId: world.userId });
    expect(await decline(partyId)).toBe('ok');
    expect(await decline(partyId)).toBe('party/not-invited');
  },
  'party:leave': async (world) => {
    const leave = () => world.ask({ commandId: world.commandId() });
    expect(await leave()).toBe('party/none');
    await asMember(world);
    expect(await leave()).toBe('ok');
    expect(await leave()).toBe('party/none');
  },
  'party:data': async (world) => {
    const send = () => world.ask({ kind: 'test', bytes: Buffer.from('x') });
    expect(await send()).toBe('party/none');
    await asMember(world);
    expect(await send()).toBe('ok');
    await leader('party:kick', { userId: world.userId });
    await eventually(async () => expect(await send()).toBe('party/none'));
  },
  'presence:unwatch': 'anyone',
  'presence:watch': async ({ client, userId }) => {
    const knows = async (other: string): Promise<boolean> => {
      const answer = await client.ask<{ users: Record<string, { online: boolean }> }>('presence:watch', { userIds: [other] });
      return answer.ok && answer.data.users[other]?.online === true;
    };
    using _stranger = await join(bench.gateways[1]!, 'stranger');
    putInZone(session(userId), 'meadow', 500);
    expect(await knows('stranger')).toBe(true);
    await moved('stranger', 1, 'forest');
    expect(await knows('stranger')).toBe(false);
  },
  'combat:act': async (world) => {
    const act = () => world.ask({ commandId: world.commandId(), combatId: 'fight', turn: 1, action: { kind: 'pass' } });
    expect(await act()).toBe('combat/not-participant');
    await isIn(world, 'fight');
    expect(await act()).toBe('ok');
    const room = roomOf.combat('fight' as CombatId);
    await served().transport.emitter.leave({ rooms: [room] }, [room]);
    await eventually(() => !session(world.userId).socket.rooms.has(room));
    expect(await act()).toBe('combat/not-participant');
  },
};

const names = Object.keys(events) as (keyof typeof events & ClientEventName)[];

describe('who may send', () => {
  it('is said for every row, and no other', () => {
    expect(Object.keys(cases).sort()).toEqual([...names].sort());
  });

  it.each(names.map((name, index) => [name, `p${20 + index}`] as const))('%s', async (name, userId) => {
    const authorised = cases[name];
    // "Anyone" is a rule of its own, so that nobody gets it by forgetting.
    expect(events[name].may === anyone).toBe(authorised === 'anyone');
    if (authorised === 'anyone') return;
    using client = await join(bench.gateways[0]!, userId);
    let commands = 0;
    const commandId = (): string => `c${(commands += 1)}`;
    const ask: Ask = async (payload) => {
      const answer = await client.ask(name, payload);
      return answer.ok ? 'ok' : (answer.error.code);
    };
    await authorised({ client, userId, ask, commandId });
  });
});
