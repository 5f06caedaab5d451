import { expect, it } from 'vitest';
import { handshakesPerSecondMax, restartAll } from './_rolling-restart.ts';

it('a rolling restart of three gateways costs 100 plain clients nothing but a short gap', async () => {
  const result = await restartAll(100, 10);
  process.stdout.write(`rolling restart: ${JSON.stringify({ ...result, flawed: result.flawed.length })}\n`);
  expect(result).toMatchObject({ flawed: [], reloads: 0, notRecovered: 0 });
  expect(result.resumes).toBeGreaterThanOrEqual(100);
  // A stall of the process that holds all the clients is not a gap of theirs.
  expect(result.worstGapMs).toBeLessThan(3_000 + result.ownStallMs);
  expect(result.reconnectsPerSecondMax).toBeLessThanOrEqual(handshakesPerSecondMax);
}, 180_000);
