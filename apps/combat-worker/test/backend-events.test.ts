import { parseBackendRecord } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bench, createBench, createWorld, newCombatId, type World } from './_bench.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

async function fightOut(bench: Bench, combatId: ReturnType<typeof newCombatId>): Promise<Record<string, unknown>> {
  for (let length = 1; ; length += 1) {
    const last = (await bench.logOf(combatId, length, 20_000)).at(-1);
    if (last?.type === 'combat:ended') return last.payload;
    const { actorId, turn } = (last?.payload['next'] ?? last?.payload) as { actorId: string; turn: number };
    await bench.act(combatId, { by: actorId, turn, action: { kind: 'attack' } });
  }
}

async function recordsOf(bench: Bench): Promise<unknown[]> {
  const entries = await bench.redis.xrange(keysOf(bench.realm).backendEvents, '-', '+');
  return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf('record') + 1] ?? '') as unknown);
}

it.each([null, 'emitted combat:ended', 'told'])('[BCK1] [BCK2] backends hear once how a fight ended, also when the worker dies at "%s"', async (place) => {
  await using bench = await createBench(world);
  const fragile = place === null ? null : await bench.fragile(place);
  const worker = place === 'emitted combat:ended' ? null : await bench.work();
  const combatId = newCombatId();
  await bench.start(combatId);
  const ended = await fightOut(bench, combatId);
  await fragile?.exited;
  await using _second = worker ?? (await bench.work());
  await expect.poll(async () => (await recordsOf(bench)).length, { timeout: 20_000 }).toBe(1);
  await expect.poll(async () => (await bench.redis.keys(keysOf(bench.realm).lane('combat', '*'))).length, { timeout: 20_000 }).toBe(0);
  const records = await recordsOf(bench);
  const { outcome, winners, rewards } = ended;
  expect(records).toMatchObject([{ id: `combat-ended-${combatId}`, type: 'combat.ended', realm: bench.realm, data: { combatId, outcome, winners, rewards, userIds: ['p1', 'p2'] } }]);
  expect(records.map(parseBackendRecord)).toEqual(records);
}, 60_000);
