import { afterAll, beforeAll, describe, it } from 'vitest';
import { frozenFor20s, heartbeats, quickFaults } from '../_chaos-faults.ts';
import { expectFlawless } from '../_chaos-verdicts.ts';
import { runChaos, startChaosWorld, type ChaosWorld } from '../_chaos-world.ts';
import type { Traveller } from '../_traveller.ts';

const runs = Array.from({ length: 20 }, (_, n) => n + 1);
/** Two gateways of each kind are frozen at a time. */
const frozenRuns = runs.slice(0, 10);

describe('20 runs of each fault', () => {
  let world: ChaosWorld;
  beforeAll(async () => {
    world = await startChaosWorld({ gateways: 3, env: { RENEW_INTERVAL_MS: '1000', ...heartbeats.short } });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  for (const [name, fault] of Object.entries(quickFaults)) {
    it.each(runs)(`${name} (run %i)`, async () => {
      let victims: readonly Traveller[] = [];
      const verdicts = await runChaos(world, 9, async (run) => { victims = await fault(run); });
      expectFlawless(verdicts, victims);
    }, 90_000);
  }
});

describe('20 runs of each kind of frozen gateway', () => {
  it.each(frozenRuns)('for 20 s (round %i, two of each kind)', async () => {
    await using world = await startChaosWorld({ gateways: 2, env: { RENEW_INTERVAL_MS: '1000', ...heartbeats.long } });
    const staying = [await world.cluster.addGateway(), await world.cluster.addGateway()];
    const moving = [await world.cluster.addGateway(heartbeats.short), await world.cluster.addGateway(heartbeats.short)];
    await world.use(world.cluster.gateways);
    let victims: readonly Traveller[] = [];
    const verdicts = await runChaos(world, 12, async (run) => {
      const { movers, stayers } = await frozenFor20s(run, moving, staying);
      victims = [...movers, ...stayers];
    });
    expectFlawless(verdicts, victims);
  }, 150_000);
});
