import { expect, it } from 'vitest';
import { awakeMsOf } from './awake-ms-of.ts';
import { timePasses } from './time-passes.ts';

it('counts a wait, and hardly a stall', async () => {
  const waited = awakeMsOf(() => timePasses(300, 'a wait'));
  expect(await waited).toBeGreaterThan(50);
  const stalled = awakeMsOf(async () => {
    await timePasses(1, 'the timer has begun');
    const untilMs = performance.now() + 500;
    while (performance.now() < untilMs);
  });
  expect(await stalled).toBeLessThan(400);
});

it('rejects as the work does', async () => {
  await expect(awakeMsOf(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
});
