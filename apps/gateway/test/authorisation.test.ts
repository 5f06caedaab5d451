import { type ClientEventName, type CombatId, type RefusalCode, roomOf, type ZoneId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyone } from '../src/connection/event-row.ts';
import { events } from '../src/connection/events.ts';
import { type Client, join, tokenFor } from './_gateway.ts';
import { putInZone, startRoomsBench, type RoomsBench } from './_rooms.ts';
import { callService } from './_service-caller.ts';

let bench: RoomsBench;
beforeAll(async () => { bench = await startRoomsBench(['stranger']); });
afterAll(() => bench[Symbol.asyncDispose]());

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
    // Two of them a second.
    await eventually(async () => expect(await start([there])).toBe('ok'));
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
