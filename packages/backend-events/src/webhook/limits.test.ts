import { expect, it } from 'vitest';
import { delayAfter, webhookLimits } from './limits.ts';

it('[BCK9] waits 5 s, 10 s, 20 s … up to an hour, give or take a fifth, so that a day holds about thirty attempts', () => {
  const delays = Array.from({ length: 14 }, (_, i) => delayAfter(i + 1, webhookLimits, () => 0.5));
  expect(delays.slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
  expect(delays.slice(10)).toEqual([3_600_000, 3_600_000, 3_600_000, 3_600_000]);
  expect(delayAfter(1, webhookLimits, () => 0)).toBe(4_000);
  expect(delayAfter(1_000, webhookLimits, () => 1)).toBe(4_320_000);
});
