import type { CharacterId, IncarnationId, UserId, ZoneId } from '@skirmish/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePublication } from './publication.ts';
import { type Claimant, ZoneState } from './zone-state.ts';

const info = { id: 'meadow' as ZoneId, width: 1000, height: 1000 };
const zoneOf = (name: string) => new ZoneState(info, () => name as IncarnationId);
const claimant = (id: string, connectedAtMs: number, socketId = `${id}-${connectedAtMs}`): Claimant => ({
  socketId,
  connectedAtMs,
  character: { characterId: id as CharacterId, userId: `u-${id}` as UserId, name: id, x: 500, y: 500, facing: 0, status: 'online' },
});
const id = (text: string) => text as CharacterId;

describe('a zone of one gateway', () => {
  it('tells an entry once, then moves, then that the character left', () => {
    const zone = zoneOf('a');
    const one = claimant('c1', 1);
    zone.enter(one, 0);
    expect(zone.takeTick(1, 0, false)).toMatchObject({ entered: [{ characterId: 'c1' }], moved: [], left: [] });
    expect(zone.takeTick(2, 0, false)).toBeNull();
    expect(zone.move(one, { seq: 1, x: 501, y: 500 }, 10).kind).toBe('accepted');
    expect(zone.move(one, { seq: 2, x: 502, y: 500 }, 20).kind).toBe('accepted');
    expect(zone.takeTick(3, 0, false)).toMatchObject({ entered: [], moved: [['c1', 502, 500, 0]], left: [] });
    zone.leave(one, 30);
    expect(zone.takeTick(4, 0, false)).toMatchObject({ moved: [], left: ['c1'] });
    expect(zone.isInhabited).toBe(false);
  });

  it('a character that came and went between two ticks leaves at most a farewell', () => {
    const zone = zoneOf('a');
    const one = claimant('c1', 1);
    zone.enter(one, 0);
    zone.leave(one, 0);
    expect(zone.takeTick(1, 0, false)).toMatchObject({ entered: [], moved: [], left: ['c1'] });
  });

  it('a keyframe holds every position, with or without news', () => {
    const zone = zoneOf('a');
    zone.enter(claimant('c1', 1), 0);
    zone.enter(claimant('c2', 1), 0);
    zone.takeTick(1, 0, false);
    expect(zone.takeTick(20, 0, true)).toMatchObject({ keyframe: true, entered: [], moved: [['c1', 500, 500, 0], ['c2', 500, 500, 0]] });
  });

  it('[ZON7] tells a new status at once to clients and gateways, and that it ended with its socket', () => {
    const [a, b] = [zoneOf('a'), zoneOf('b')] as const;
    const [older, newer] = [claimant('c1', 1), claimant('c1', 2)];
    a.enter(older, 0);
    converse([a, b], 0);
    for (const zone of [a, b]) zone.takeTick(1, 0, false);
    a.setStatus(older, 'busy');
    converse([a, b], 0);
    for (const zone of [a, b]) expect(zone.takeTick(2, 0, false)).toMatchObject({ entered: [{ characterId: 'c1', status: 'busy' }], moved: [], left: [] });
    b.enter(newer, 0);
    a.setStatus(older, 'away');
    converse([a, b], 0);
    for (const zone of [a, b]) expect(zone.takeTick(3, 0, false)).toMatchObject({ entered: [{ characterId: 'c1', status: 'online' }], left: [] });
    a.setStatus(older, 'away');
    converse([a, b], 0);
    for (const zone of [a, b]) expect(zone.characters()).toMatchObject([{ status: 'online' }]);
  });

  it('the newer socket takes over in place, without a new reserve of distance', () => {
    const zone = zoneOf('a');
    const [older, newer] = [claimant('c1', 1), claimant('c1', 2)];
    zone.enter(older, 0);
    zone.move(older, { seq: 9, x: 640, y: 500 }, 0);
    zone.enter(newer, 0);
    expect(zone.move(older, { seq: 10, x: 641, y: 500 }, 0).kind).toBe('stale');
    expect(zone.move(newer, { seq: 0, x: 660, y: 500 }, 0)).toEqual({ kind: 'corrected', code: 'character/too-fast' });
    expect(zone.move(newer, { seq: 0, x: 645, y: 500 }, 0).kind).toBe('accepted');
    zone.leave(older, 0);
    expect(zone.positionOf(id('c1'))).toEqual({ x: 645, y: 500 });
    expect(zone.move(claimant('c9', 1), { seq: 0, x: 1, y: 1 }, 0).kind).toBe('stale');
  });
});

/** Lets two gateways hear each other until nobody has news; a lost publication is left out by `lost`. */
const converse = (zones: readonly ZoneState[], nowMs: number, keyframe = false): void => {
  for (let round = 0; round < 4; round++) {
    const said = zones.map((zone) => zone.takePublication(keyframe, false));
    said.forEach((publication, from) => {
      if (publication) zones.forEach((zone, to) => { if (to !== from) zone.receive(parsePublication(JSON.parse(JSON.stringify(publication)))!, nowMs); });
    });
  }
};

describe('a zone of several gateways', () => {
  it('shows characters of others where they are', () => {
    const [a, b] = [zoneOf('a'), zoneOf('b')] as const;
    const one = claimant('c1', 1);
    a.enter(one, 0);
    converse([a, b], 0);
    expect(b.takeTick(1, 0, false)).toMatchObject({ entered: [{ characterId: 'c1', x: 500 }] });
    a.move(one, { seq: 1, x: 510, y: 500 }, 100);
    converse([a, b], 0);
    expect(b.takeTick(2, 0, false)).toMatchObject({ moved: [['c1', 510, 500, 0]] });
    a.leave(one, 0);
    converse([a, b], 0);
    expect(b.takeTick(3, 0, false)).toMatchObject({ left: ['c1'] });
  });

  it('the newest socket controls, wherever it is; when it goes, the older one does again, from where it stood', () => {
    const [a, b] = [zoneOf('a'), zoneOf('b')] as const;
    const [older, newer] = [claimant('c1', 1), claimant('c1', 2)];
    a.enter(older, 0);
    converse([a, b], 0);
    b.enter(newer, 0);
    converse([a, b], 0);
    expect(a.move(older, { seq: 1, x: 501, y: 500 }, 10).kind).toBe('stale');
    b.move(newer, { seq: 1, x: 520, y: 500 }, 10);
    converse([a, b], 0);
    b.leave(newer, 20);
    converse([a, b], 0);
    expect(a.positionOf(id('c1'))).toEqual({ x: 520, y: 500 });
    expect(a.move(older, { seq: 2, x: 521, y: 500 }, 30).kind).toBe('accepted');
    converse([a, b], 0);
    expect(b.positionOf(id('c1'))).toEqual({ x: 521, y: 500 });
  });

  it('whoever connects to one gateway after the other is hardly faster than who stays', () => {
    const zones = [zoneOf('a'), zoneOf('b')] as const;
    let x = 500;
    for (let n = 0; n < 10; n += 1) {
      const [zone, other] = n % 2 === 0 ? zones : [zones[1], zones[0]];
      const newest = claimant('c1', n + 1);
      zone.enter(newest, n * 200);
      for (const distance of [150, 32, 20]) if (zone.move(newest, { seq: 200 - distance, x: x + distance, y: 500 }, n * 200).kind === 'accepted') x += distance;
      converse(zones, n * 200);
      if (n > 0) other.leave(claimant('c1', n), n * 200);
      converse(zones, n * 200);
    }
    // The first reserve, and of each that follows what may be walked in 200 ms and the allowance.
    expect(x - 500).toBeGreaterThanOrEqual(150 + 9 * 20);
    expect(x - 500).toBeLessThanOrEqual(150 + 9 * (12 + 20));
  });

  it('one who walks on is not corrected by the gateway that takes over, however long the way was', () => {
    for (const awayMs of [0, 100, 1_000, 2_500, 60_000]) {
      const [a, b] = [zoneOf('a'), zoneOf('b')] as const;
      const [older, newer] = [claimant('c1', 1), claimant('c1', 2)];
      a.enter(older, 0);
      for (let n = 1; n <= 60; n += 1) expect(a.move(older, { seq: n, x: 500 + 5 * n, y: 500 }, n * 100).kind).toBe('accepted');
      // Heard 300 ms after it was there.
      converse([a, b], 6_300);
      b.enter(newer, 6_300 + awayMs);
      const walked = Math.min(150, ((300 + awayMs) / 100) * 5);
      expect(b.move(newer, { seq: 0, x: 800 + walked, y: 500 }, 6_300 + awayMs).kind).toBe('accepted');
    }
  });

  it('a socket that is older than the one elsewhere waits', () => {
    const [a, b] = [zoneOf('a'), zoneOf('b')] as const;
    b.enter(claimant('c1', 5), 0);
    converse([a, b], 0);
    const late = claimant('c1', 3);
    a.enter(late, 0);
    expect(a.move(late, { seq: 1, x: 501, y: 500 }, 0).kind).toBe('stale');
  });

  it('equal claims have one winner on which all agree', () => {
    const [a, b] = [zoneOf('a'), zoneOf('b')] as const;
    const [here, there] = [claimant('c1', 7, 'x'), claimant('c1', 7, 'y')];
    a.enter(here, 0);
    b.enter(there, 0);
    converse([a, b], 0, true);
    const winners = [a.move(here, { seq: 1, x: 501, y: 500 }, 0).kind, b.move(there, { seq: 1, x: 501, y: 500 }, 0).kind];
    expect(winners.sort()).toEqual(['accepted', 'stale']);
  });

  it('a keyframe heals what was lost, and silence ends a presence', () => {
    const [a, b] = [zoneOf('a'), zoneOf('b')] as const;
    const one = claimant('c1', 1);
    a.enter(one, 0);
    a.takePublication(false, false);
    expect(b.characters()).toEqual([]);
    converse([a, b], 0, true);
    expect(b.characters().map(({ characterId }) => characterId)).toEqual(['c1']);
    a.leave(one, 0);
    a.takePublication(false, false);
    converse([a, b], 1_000, true);
    expect(b.characters()).toEqual([]);
    a.enter(one, 0);
    converse([a, b], 2_000, true);
    b.sweep(8_000);
    expect(b.characters()).toHaveLength(1);
    b.sweep(8_001);
    expect(b.characters()).toEqual([]);
  });

  it('words about characters of someone else are not taken', () => {
    const a = zoneOf('a');
    const one = claimant('c1', 5);
    a.enter(one, 0);
    const lie = { v: 1, kind: 'positions', from: 'z' as IncarnationId, keyframe: true, hello: false, entered: [], moved: [[id('c1'), 1, 1, 0]], left: [id('c1')] } as const;
    a.receive(lie, 0);
    expect(a.positionOf(id('c1'))).toEqual({ x: 500, y: 500 });
  });

  it('after any history, keyframes bring all gateways to one view, with one controlling socket per character', () => {
    const step = fc.record({ gateway: fc.nat(2), socket: fc.nat(5), what: fc.constantFrom('enter', 'leave', 'move', 'talk', 'lose') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const zones = ['a', 'b', 'c'].map(zoneOf);
        const inside = zones.map(() => new Map<number, Claimant>());
        let seq = 0;
        for (const { gateway, socket, what } of steps) {
          const [zone, sockets] = [zones[gateway]!, inside[gateway]!];
          const one = sockets.get(socket);
          seq += 1;
          if (what === 'enter' && !one) {
            const fresh = claimant(`c${socket % 2}`, seq, `${gateway}-${socket}-${seq}`);
            sockets.set(socket, fresh);
            zone.enter(fresh, 0);
          } else if (what === 'leave' && one) {
            sockets.delete(socket);
            zone.leave(one, 0);
          } else if (what === 'move' && one) zone.move(one, { seq, x: 500 + (seq % 3), y: 500 }, seq * 1_000);
          else if (what === 'talk') converse(zones, 0);
          else if (what === 'lose') zone.takePublication(false, false);
        }
        for (let round = 0; round < 3; round++) converse(zones, 0, true);
        const views = zones.map((zone) => JSON.stringify(zone.characters().map(({ characterId, x, y }) => [characterId, x, y]).sort()));
        expect(new Set(views).size).toBe(1);
        const present = new Set(inside.flatMap((sockets) => [...sockets.values()].map(({ character }) => character.characterId)));
        expect(zones[0]!.characters().map(({ characterId }) => characterId).sort()).toEqual([...present].sort());
        for (const character of present) {
          const answers = inside.flatMap((sockets, gateway) =>
            [...sockets.values()].filter((one) => one.character.characterId === character).map((one) => ({ at: one.connectedAtMs, kind: zones[gateway]!.move(one, { seq: 1e9, x: 501, y: 501 }, 1e9).kind })),
          );
          const newest = Math.max(...answers.map(({ at }) => at));
          expect(answers.filter(({ kind }) => kind !== 'stale').map(({ at }) => at)).toEqual([newest]);
        }
      }),
      // Found at random: the newest session goes, and its gateway has an older one than another gateway.
      {
        numRuns: 300,
        examples: [[[
          { gateway: 0, socket: 0, what: 'enter' },
          { gateway: 1, socket: 0, what: 'enter' },
          { gateway: 0, socket: 4, what: 'enter' },
          { gateway: 0, socket: 0, what: 'talk' },
          { gateway: 0, socket: 4, what: 'leave' },
        ]]],
      },
    );
  });
});

describe('what comes over the channel of a zone', () => {
  it('is refused unless it is a publication', () => {
    const good = { v: 1, kind: 'positions', from: 'a', keyframe: false, hello: false, entered: [], moved: [['c1', 1, 2, 3]], left: [] };
    expect(parsePublication({ ...good, later: 'field' })).toEqual(good);
    for (const bad of [null, 7, 'x', [], {}, { ...good, v: 2 }, { ...good, from: 'a b' }, { ...good, moved: {} }, { ...good, left: Array.from({ length: 5_001 }, () => 'c1') }]) {
      expect(parsePublication(bad)).toBeNull();
    }
    fc.assert(fc.property(fc.anything(), (body) => { parsePublication(body); }));
  });

  it('keeps all characters but those that cannot be read, and says that there were some', () => {
    const one = { characterId: 'c1', userId: 'u1', name: 'One', x: 1, y: 2, facing: 3, status: 'online', claimMs: 4 };
    const good = { v: 1, kind: 'positions', from: 'a', keyframe: true, hello: false, entered: [one], moved: [['c1', 1, 2, 3]], left: ['c2'] };
    const unreadable: unknown[] = [{ ...one, name: 'x'.repeat(65) }, { ...one, status: 'asleep' }, { ...one, x: null }, { ...one, characterId: 'c 1' }, null, 7];
    let told = 0;
    expect(parsePublication(good, () => { told += 1; })).toEqual(good);
    expect(told).toBe(0);
    const spoilt = { ...good, entered: [...unreadable, one], moved: [['c1', Number.NaN, 2, 3], ['c1', 1, 2, 3], ['c 1', 1, 2, 3]], left: [1, 'c2'] };
    expect(parsePublication(spoilt, () => { told += 1; })).toEqual(good);
    expect(told).toBe(1);
    fc.assert(fc.property(fc.anything(), (anything) => {
      expect(parsePublication({ ...good, entered: [one, anything], moved: [...good.moved, anything], left: [...good.left, anything] })).not.toBeNull();
    }));
  });
});
