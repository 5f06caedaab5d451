import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerWheel } from './timer-wheel.ts';

describe('the timer wheel', () => {
  it('keeps one deadline of each key: the last one that was set', () => {
    const wheel = new TimerWheel<string>(0);
    wheel.schedule('a', 2_000);
    wheel.schedule('b', 2_000);
    wheel.schedule('a', 5_000);
    wheel.cancel('b');
    wheel.cancel('nobody');
    expect(wheel.tick(4_999)).toEqual([]);
    expect(wheel.tick(5_000)).toEqual(['a']);
    expect(wheel.tick(60_000)).toEqual([]);
    expect(wheel.size).toBe(0);
  });

  it('answers a deadline that is past at the next tick', () => {
    const wheel = new TimerWheel<string>(10_000);
    wheel.tick(10_000);
    wheel.schedule('late', 3_000);
    expect(wheel.tick(11_000)).toEqual(['late']);
  });

  it('answers each key once, never early, and less than a second and a tick late', () => {
    const steps = fc.array(fc.record({ key: fc.nat(20), inMs: fc.integer({ min: -5_000, max: 100_000 }), passMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 10_000_000 })), cancel: fc.boolean() }), { maxLength: 60 });
    fc.assert(fc.property(steps, (all) => {
      let nowMs = 1_700_000_000_123;
      const wheel = new TimerWheel<number>(nowMs);
      const truth = new Map<number, number>();
      for (const { key, inMs, passMs, cancel } of all) {
        if (cancel) {
          wheel.cancel(key);
          truth.delete(key);
        } else {
          wheel.schedule(key, nowMs + inMs);
          // One that is past counts from when it is set.
          truth.set(key, nowMs + Math.max(inMs, 0));
        }
        nowMs += passMs;
        for (const due of wheel.tick(nowMs)) {
          expect(truth.get(due)).toBeLessThanOrEqual(nowMs);
          truth.delete(due);
        }
        for (const atMs of truth.values()) expect(atMs).toBeGreaterThan(nowMs - 1_000);
        expect(wheel.size).toBe(truth.size);
      }
    }));
  });
});
