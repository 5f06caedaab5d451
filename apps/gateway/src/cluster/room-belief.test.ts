import type { RoomName } from '@skirmish/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RoomBelief } from './room-belief.ts';

const names = ['zone:a', 'zone:b', 'party:c'] as RoomName[];
const room = fc.constantFrom(...names);

/** A Redis that takes a write, refuses it, or takes it and loses the reply. */
type Fate = 'done' | 'refused' | 'reply lost';

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('join' as const), room }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), room }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expect' as const), room }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), room }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('emission enters' as const), room }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'lost' as const }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), fate: fc.constantFrom<Fate>('done', 'refused', 'reply lost') }) },
);

describe('what is believed of the directory', () => {
  it('ends at the truth, whatever order, refusal or lost reply came before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const members = new Map<RoomName, number>();
        const redis = new Set<RoomName>();
        const pending: RoomName[] = [];
        let now = 0;
        const belief = new RoomBelief({ hasMembers: (name) => (members.get(name) ?? 0) > 0, lingerMs: 10 });
        const write = (fate: Fate): void => {
          const changes = belief.changes(2, now);
          for (const { op, room: name } of changes) {
            if (fate !== 'refused' && op === 'add') redis.add(name);
            if (fate !== 'refused' && op === 'remove') redis.delete(name);
            if (fate !== 'done') belief.doubt([name]);
            else if (op === 'add') belief.entered([name]);
            else belief.removed(name);
          }
        };
        for (const action of steps) {
          if (action.kind === 'join') members.set(action.room, (members.get(action.room) ?? 0) + 1);
          if (action.kind === 'leave') members.set(action.room, Math.max((members.get(action.room) ?? 0) - 1, 0));
          if (action.kind === 'join' || action.kind === 'leave') belief.touch(action.room);
          if (action.kind === 'expect') {
            belief.expect([action.room]);
            // The registration of the connection writes it, in a step of its own.
            redis.add(action.room);
            belief.entered([action.room]);
            pending.push(action.room);
          }
          if (action.kind === 'release' && pending.length > 0) belief.release([pending.pop() ?? action.room]);
          if (action.kind === 'emission enters') {
            redis.add(action.room);
            belief.entered([action.room]);
            belief.touch(action.room);
          }
          if (action.kind === 'lost') {
            redis.clear();
            pending.length = 0;
            belief.reset();
            for (const name of names) belief.touch(name);
          }
          now += 20;
          if (action.kind === 'write') write(action.fate);
          belief.tick(now);
        }
        for (let i = 0; i < 10; i += 1) {
          now += 100;
          belief.tick(now);
          write('done');
        }
        const truth = names.filter((name) => (members.get(name) ?? 0) > 0 || pending.includes(name));
        expect([...redis].sort()).toEqual([...truth].sort());
        expect(belief.isSettled).toBe(true);
      }),
      { numRuns: 4000 },
    );
  });

  it('lets an entry outlive its last member for a while, so that a player who comes straight back costs nothing', () => {
    let here = true;
    const belief = new RoomBelief({ hasMembers: () => here, lingerMs: 1000 });
    const [zone = 'zone:a' as RoomName] = names;
    belief.touch(zone);
    expect(belief.changes(10, 0)).toEqual([{ op: 'add', room: zone }]);
    belief.entered([zone]);
    here = false;
    belief.touch(zone);
    expect(belief.changes(10, 100)).toEqual([]);
    belief.tick(600);
    here = true;
    belief.touch(zone);
    expect(belief.changes(10, 700)).toEqual([]);
    here = false;
    belief.touch(zone);
    expect(belief.changes(10, 800)).toEqual([]);
    belief.tick(1900);
    expect(belief.changes(10, 1900)).toEqual([{ op: 'remove', room: zone }]);
  });
});
