import { expect, it } from 'vitest';
import { expectUnmoved, fuzzSeed, unlimited } from '../_fuzz-verdict.ts';

it(`1,000,000 generated frames change nothing for anybody else (FUZZ_SEED=${fuzzSeed})`, async () => {
  const { frames, closedTame, failed, outcomes } = await expectUnmoved({
    framesMin: 1_000_000, atATime: 16, batch: 200, env: unlimited, growthBytesMax: 20 * 1_048_576,
  });
  expect(frames).toBeGreaterThanOrEqual(1_000_000);
  expect({ closedTame: closedTame.slice(0, 2), failed: failed.slice(0, 10) }).toEqual({ closedTame: [], failed: [] });
  expect(outcomes['failed'] ?? 0).toBe(0);
}, 1_200_000);
