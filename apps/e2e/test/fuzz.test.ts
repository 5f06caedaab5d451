import { describe, expect, it } from 'vitest';
import { expectUnmoved, fuzzSeed, unlimited } from './_fuzz-verdict.ts';

const megabyte = 1_048_576;

describe(`a gateway under generated frames (FUZZ_SEED=${fuzzSeed})`, () => {
  it('100,000 of them, all of which reach the handlers, change nothing for anybody else', async () => {
    const { frames, connections, closedTame, failed, outcomes } = await expectUnmoved({
      framesMin: 100_000,
      atATime: 16,
      batch: 200,
      // The fuzz is to meet the handlers, not the limits.
      env: unlimited,
      growthBytesMax: 12 * megabyte,
    });
    expect(frames).toBeGreaterThanOrEqual(100_000);
    // [ACK5] What breaks no framing closes no connection.
    expect(closedTame.slice(0, 2)).toEqual([]);
    expect(failed.slice(0, 10)).toEqual([]);
    expect(Object.keys(connections)).toHaveLength(6);
    expect((outcomes['refused'] ?? 0) + (outcomes['accepted'] ?? 0)).toBeGreaterThan(50_000);
    expect(outcomes['accepted']).toBeGreaterThan(1_000);
    expect(outcomes['failed'] ?? 0).toBe(0);
  }, 180_000);

  it('with the limits of production, floods included, neither', async () => {
    const { frames } = await expectUnmoved({ framesMin: 10_000, atATime: 8, batch: 600, env: {}, growthBytesMax: 12 * megabyte });
    expect(frames).toBeGreaterThanOrEqual(10_000);
  }, 120_000);
});
