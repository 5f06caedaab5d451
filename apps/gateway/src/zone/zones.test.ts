import type { CharacterId, IncarnationId, ServerPayload, UserId, ZoneId } from '@skirmish/protocol';
import { expect, it } from 'vitest';
import type { Publication } from './publication.ts';
import { keyframeEveryTicks, tickIntervalMs, Zones, type ZonesOptions } from './zones.ts';

const info = { id: 'meadow' as ZoneId, width: 1000, height: 1000 };
const character = (id: string) => ({ characterId: id as CharacterId, userId: `u-${id}` as UserId, name: id, x: 1, y: 1, facing: 0, status: 'online' as const });
const keyframeOf = (from: string, id: string): Publication => ({
  v: 1, kind: 'positions', from: from as IncarnationId, keyframe: true, hello: false, entered: [{ ...character(id), claimMs: 1 }], moved: [], left: [],
});

/** Zones whose clock is the test's, what they tell their clients, and the way in for what others publish. */
function zonesAt(clock: { ms: number }) {
  const ticks: ServerPayload<'zone:tick'>[] = [];
  const audience = { emit: (_event: string, tick: ServerPayload<'zone:tick'>) => ticks.push(tick) };
  const heard: ((body: unknown) => void)[] = [];
  const options = {
    nsp: { local: { to: () => ({ except: () => audience }) } },
    transport: { incarnation: () => 'here', volatile: { follow: (_room: string, handler: (body: unknown) => void) => heard.push(handler), unfollow: () => undefined, publish: () => undefined } },
    slow: new Set(), dropsEphemeral: () => false, onUnreadable: () => undefined, onPublished: () => undefined, now: () => clock.ms,
  };
  const zones = new Zones(options as unknown as ZonesOptions);
  zones.enter(info, { socketId: 's', connectedAtMs: 1, character: character('own') });
  const turn = (count: number): void => {
    for (let n = 0; n < count; n += 1) {
      clock.ms += tickIntervalMs;
      zones.runTick();
    }
  };
  return { turn, hear: (body: object) => { for (const each of heard) each(body); }, left: () => ticks.flatMap(({ left }) => left) };
}

it('a gateway that stood still itself does not take the others for silent before it has read what they said', () => {
  const clock = { ms: 1_000_000 };
  const { turn, hear, left } = zonesAt(clock);
  turn(1);
  hear(keyframeOf('there', 'far'));
  turn(keyframeEveryTicks - 2);
  // The next tick is a keyframe, which looks for silent gateways.
  clock.ms += 30_000;
  turn(1);
  expect(left()).toEqual([]);
  hear(keyframeOf('there', 'far'));
  turn(2 * keyframeEveryTicks);
  expect(left()).toEqual([]);
  // From now on it is silent.
  turn(2 * keyframeEveryTicks);
  expect(left()).toEqual(['far']);
});
