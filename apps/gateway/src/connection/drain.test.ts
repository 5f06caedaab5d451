import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closingTimes } from './drain.ts';

const random = (): fc.Arbitrary<() => number> =>
  fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }).map((draws) => {
    let n = 0;
    return () => draws[(n += 1) % draws.length] ?? 0;
  });

describe('the times at which connections are closed', () => {
  it('grow, begin after the delay, and end with the spread', () => {
    fc.assert(
      fc.property(fc.nat(3_000), fc.nat(10_000), fc.nat(60_000), random(), (count, delayMs, spreadMs, next) => {
        const times = closingTimes(count, { delayMs, spreadMs }, next);
        expect(times).toHaveLength(count);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        if (count > 0) {
          expect(times[0]).toBeGreaterThanOrEqual(delayMs);
          expect(times.at(-1)).toBeLessThanOrEqual(delayMs + spreadMs);
        }
      }),
    );
  });

  it('never put more than twice the even share into any tenth of a second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 5_000 }), random(), (count, next) => {
        const spreadMs = 4_000;
        const times = closingTimes(count, { delayMs: 0, spreadMs }, next);
        const slices = new Map<number, number>();
        for (const time of times) slices.set(Math.floor(time / 100), (slices.get(Math.floor(time / 100)) ?? 0) + 1);
        expect(Math.max(...slices.values())).toBeLessThanOrEqual(Math.max(2 * Math.ceil((count * 100) / spreadMs), 42));
      }),
      { numRuns: 30 },
    );
  });

  it('take no longer than few connections need', () => {
    expect(Math.max(...closingTimes(5, { delayMs: 50, spreadMs: 60_000 }))).toBeLessThanOrEqual(150);
  });
});
