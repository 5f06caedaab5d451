import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appearAt, decideMove, movementLimits, type MoverState } from './movement-rules.ts';

const bounds = { width: 1000, height: 1000 };
const start = appearAt({ x: 500, y: 500 }, 0);

describe('movement', () => {
  it('takes a walk of 5 units per 100 ms for ever, whatever the direction', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 2 * Math.PI, noNaN: true }), { minLength: 1, maxLength: 300 }), (directions) => {
        let state: MoverState = start;
        directions.forEach((direction, index) => {
          const x = Math.min(1000, Math.max(0, state.x + 5 * Math.cos(direction)));
          const y = Math.min(1000, Math.max(0, state.y + 5 * Math.sin(direction)));
          const decision = decideMove(state, { seq: index, x, y }, bounds, (index + 1) * 100);
          expect(decision.kind).toBe('accepted');
          if (decision.kind === 'accepted') state = decision.state;
        });
      }),
    );
  });

  it('takes two seconds of such a walk that arrive at once', () => {
    let state: MoverState = start;
    for (let seq = 0; seq < 20; seq++) {
      const decision = decideMove(state, { seq, x: state.x + 5, y: 500 }, bounds, 2_000);
      if (decision.kind !== 'accepted') throw new Error(`move ${seq} was ${decision.kind}`);
      state = decision.state;
    }
    expect(state.x).toBe(600);
  });

  it('corrects a displacement over 150 units after any silence', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), fc.double({ min: 150.01, max: 499, noNaN: true }), (silenceMs, distance) => {
        expect(decideMove(start, { seq: 1, x: 500 + distance, y: 500 }, bounds, silenceMs)).toEqual({ kind: 'corrected', code: 'character/too-fast' });
      }),
    );
  });

  it('lets nobody be faster than 50 units/s with the tolerance, over any accepted moves', () => {
    const step = fc.record({ afterMs: fc.integer({ min: 0, max: 2_000 }), x: fc.double({ min: 0, max: 1000, noNaN: true }), y: fc.double({ min: 0, max: 1000, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        let state: MoverState = start;
        let nowMs = 0;
        let covered = 0;
        steps.forEach((each, seq) => {
          nowMs += each.afterMs;
          const decision = decideMove(state, { seq, x: each.x, y: each.y }, bounds, nowMs);
          if (decision.kind !== 'accepted') return;
          covered += Math.hypot(each.x - state.x, each.y - state.y);
          state = decision.state;
        });
        const allowed = movementLimits.displacementMaxUnits + (nowMs / 1000) * movementLimits.speedMaxUnitsPerSecond * movementLimits.speedTolerance;
        expect(covered).toBeLessThanOrEqual(allowed + 1e-6);
      }),
    );
  });

  it.each([
    { x: -0.1, y: 5 },
    { x: 5, y: -0.1 },
    { x: 1000.1, y: 5 },
    { x: 5, y: 1000.1 },
  ])('corrects a place outside the zone ($x, $y)', (place) => {
    const near = appearAt({ x: Math.min(1000, Math.max(0, place.x)), y: Math.min(1000, Math.max(0, place.y)) }, 0);
    expect(decideMove(near, { seq: 1, ...place }, bounds, 100)).toEqual({ kind: 'corrected', code: 'character/out-of-bounds' });
  });

  it('gives no effect to a seq that does not grow, and keeps the facing when none is sent', () => {
    const first = decideMove(start, { seq: 5, x: 501, y: 500, facing: 1.5 }, bounds, 100);
    if (first.kind !== 'accepted') throw new Error('expected to be accepted');
    expect(decideMove(first.state, { seq: 5, x: 502, y: 500 }, bounds, 200)).toEqual({ kind: 'outdated' });
    expect(decideMove(first.state, { seq: 6, x: 502, y: 500 }, bounds, 200)).toMatchObject({ state: { facing: 1.5, x: 502 } });
  });
});
