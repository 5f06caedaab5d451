import { afterAll, beforeAll, describe, it } from 'vitest';
import { frozenFor20s, heartbeats, quickFaults } from './_chaos-faults.ts';
import { expectFlawless } from './_chaos-verdicts.ts';
import { runChaos, startChaosWorld, type ChaosWorld } from './_chaos-world.ts';
import type { Traveller } from './_traveller.ts';

const runs = [1, 2];

describe('plain clients behind nginx, three gateways, 220 numbered events per second', () => {
  let world: ChaosWorld;
  beforeAll(async () => {
    world = await startChaosWorld({ gateways: 3, env: { RENEW_INTERVAL_MS: '1000', ...heartbeats.short } });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  for (const [name, fault] of Object.entries(quickFaults)) {
    it.each(runs)(`${name}: nothing is lost, doubled or swapped, and nobody reloads (run %i)`, async () => {
      let victims: readonly Traveller[] = [];
      const verdicts = await runChaos(world, 9, async (run) => { victims = await fault(run); });
      expectFlawless(verdicts, victims);
    }, 90_000);
  }
});

it('gateways are frozen for 20 s: those who move on and those who stay miss nothing (2 runs each at a time)', async () => {
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
