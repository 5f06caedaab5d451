import { expect, it } from 'vitest';
import { gather, heartbeats } from '../_chaos-faults.ts';
import { runChaos, startChaosWorld } from '../_chaos-world.ts';
import { flawlessJourney } from '../_delivery-checker.ts';
import { fightsOf, storm, type StormReport } from '../_storm.ts';

const seeds = (process.env['STORM_SEEDS'] ?? '1,2,3,4').split(',').map(Number);
const env = { RENEW_INTERVAL_MS: '1000', ...heartbeats.short };

/** Random cuts, drops and moves, with and without random deaths of processes: nobody misses, doubles or reloads anything. */
it.each(seeds.flatMap((seed) => [{ seed, processes: false }, { seed, processes: true }]))('storm $seed (processes: $processes)', async ({ seed, processes }) => {
  await using world = await startChaosWorld({ gateways: 3, env });
  const fights = fightsOf();
  let told: StormReport | null = null;
  const verdicts = await runChaos(world, 10, async (run) => {
    await gather(run);
    told = await storm(run, fights, { seed, durationMs: 30_000, pace: 8, processes });
    await run.hear(run.travellers, 10);
  }, fights);
  const wrong = verdicts.filter(({ report }) => JSON.stringify(report) !== JSON.stringify(flawlessJourney));
  expect(wrong, `seed ${seed}: ${JSON.stringify({ told, wrong })}`).toEqual([]);
  const resumes = verdicts.flatMap(({ recovered }) => recovered.slice(1));
  expect(resumes.length).toBeGreaterThan(10);
  expect(resumes.filter((recovered) => !recovered)).toEqual([]);
}, 180_000);
