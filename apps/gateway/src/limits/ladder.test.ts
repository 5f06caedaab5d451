import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faded, featureOf, type Step, stepFor, type Thresholds } from './ladder.ts';

const thresholds: Thresholds = { warnAt: 40, disconnectAt: 300, banAt: 1_000 };
const step = (before: number, after: number): Step | null => stepFor(before, after, thresholds);

describe('the ladder', () => {
  it('[LIM3] [LIM5] [LIM6] has a step at each threshold', () => {
    expect([step(0, 39), step(0, 40), step(39.9, 40), step(40, 41)]).toEqual([null, 'warn', 'warn', null]);
    expect([step(299, 300), step(300, 599), step(599, 600)]).toEqual(['disconnect', null, 'disconnect']);
    expect([step(999, 1_000), step(1_000, 1_001), step(1_999, 2_000)]).toEqual(['ban', null, 'ban']);
  });

  it('[LIM7] takes the most severe step of several', () => {
    expect([step(0, 5_000), step(0, 999), step(880, 1_000)]).toEqual(['ban', 'disconnect', 'ban']);
  });

  const score = fc.double({ min: 0, max: 3_000, noNaN: true });
  it('takes no step while nothing is added', () => {
    fc.assert(fc.property(score, (at) => step(at, at) === null));
  });

  it('takes the same steps of the same severity, however a rise is divided', () => {
    const rank = (taken: Step | null): number => [null, 'warn', 'disconnect', 'ban'].indexOf(taken);
    fc.assert(
      fc.property(fc.array(score, { minLength: 2, maxLength: 6 }), (scores) => {
        const rising = scores.toSorted((a, b) => a - b);
        const single = rising.slice(1).map((after, index) => rank(step(rising[index] ?? 0, after)));
        expect(Math.max(...single)).toBe(rank(step(rising[0] ?? 0, rising.at(-1) ?? 0)));
      }),
    );
  });

  it('[LIM3] forgets with time, never below nothing and never backwards', () => {
    expect([faded(100, 30_000, 60), faded(10, 60_000, 60), faded(10, -5_000, 60)]).toEqual([70, 0, 10]);
  });

  it('[LIM4] knows the feature of an event', () => {
    expect([featureOf('chat:send'), featureOf('character:move')]).toEqual(['chat', 'character']);
  });
});
