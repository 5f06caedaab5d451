import { describe, expect, it } from 'vitest';
import { expectUnmoved, fuzzSeed, unlimited } from './_fuzz-verdict.ts';

const megabyte = 1_048_576;
/** Smaller in the security audit. */
const framesMin = Number(process.env['FUZZ_FRAMES'] ?? 100_000);

describe(`a gateway under generated frames (FUZZ_SEED=${fuzzSeed})`, () => {
  it(`${framesMin} of them, all of which reach the handlers, change nothing for anybody else`, async () => {
    const { frames, connections, closedTame, failed, outcomes } = await expectUnmoved({
      framesMin,
      atATime: 16,
      batch: 200,
      // The fuzz is to meet the handlers, not the limits.
      env: unlimited,
      growthBytesMax: 12 * megabyte,
    });
    expect(frames).toBeGreaterThanOrEqual(framesMin);
    // [ACK5] What breaks no framing closes no connection.
    expect(closedTame.slice(0, 2)).toEqual([]);
    expect(failed.slice(0, 10)).toEqual([]);
    expect(Object.keys(connections)).toHaveLength(6);
    expect((outcomes['refused'] ?? 0) + (outcomes['accepted'] ?? 0)).toBeGreaterThan(framesMin / 2);
    expect(outcomes['accepted']).toBeGreaterThan(framesMin / 100);
    expect(outcomes['failed'] ?? 0).toBe(0);
  }, 180_000);

  it('with the limits of production, floods included, neither', async () => {
    const { frames } = await expectUnmoved({ framesMin: framesMin / 10, atATime: 8, batch: 600, env: {}, growthBytesMax: 12 * megabyte });
    expect(frames).toBeGreaterThanOrEqual(framesMin / 10);
  }, 120_000);
});
