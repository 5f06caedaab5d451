import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCombat } from '@skirmish/database';
import type { ZoneId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { type Bench, createBench, newCombatId } from './_bench.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await createBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** A worker in whose place another one acts, after it has loaded and before it saves, so many times. */
function overtakenBy(rival: () => Promise<unknown>, times = 1) {
  let left = times;
  return bench.work(
    { LOG_LEVEL: 'silent' },
    {
      reached: async (place) => {
        if (place !== 'loaded' || left === 0) return;
        left -= 1;
        await rival();
      },
    },
  );
}

async function begin(characters: readonly string[]) {
  const combatId = newCombatId();
  await using _worker = await bench.work();
  await bench.start(combatId, characters);
  const [started] = await bench.logOf(combatId, 1);
  await eventually(async () => (await bench.toldEvents(combatId)).length === 1);
  return { combatId, actor: String(started?.payload['actorId']) };
}

const deadCommands = (): Promise<number> => bench.redis.llen(`{${bench.realm}}:lane-dead:combat`);

describe('a worker that is overtaken between load and save', () => {
  it('loads again when the fight has another version, more often than it has tries', async () => {
    const { combatId, actor } = await begin(['c1', 'c2']);
    let times = 0;
    await using _worker = await overtakenBy(async () => {
      times += 1;
      await bench.database.db.updateTable('combats').set((row) => ({ version: row('version', '+', 1) })).where('combat_id', '=', combatId).execute();
    }, 5);
    await bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' } });
    await bench.logOf(combatId, 2, 15_000);
    await eventually(async () => expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:resolved 2']));
    const { version } = await bench.database.db.selectFrom('combats').select('version').where('combat_id', '=', combatId).executeTakeFirstOrThrow();
    expect([times, version, await deadCommands()]).toEqual([5, 7, 0]);
  });

  it.each([
    ['attack', ['c3', 'c4']],
    ['defend', ['c5', 'c6']],
  ] as const)('repeats what the other one has decided of the same %s', async (kind, characters) => {
    const { combatId, actor } = await begin(characters);
    const command = { combat_id: combatId, kind: 'combat.act', user_id: actor.replace('c', 'p'), command_id: 'same', refusal: 'combat/over' };
    await using _worker = await overtakenBy(() => bench.database.db.insertInto('combat_commands').values(command).execute());
    await bench.act(combatId, { by: actor, turn: 1, action: { kind }, commandId: 'same' });
    await eventually(async () => expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:refused combat/over']));
    expect(await bench.log(combatId)).toHaveLength(1);
    expect(await deadCommands()).toBe(0);
  });

  it('finds the fight that the other one has begun, and tells that one', async () => {
    const combatId = newCombatId();
    const event = { seq: 1, type: 'combat:started', payload: { combatId, seq: 1, by: 'the other one' } };
    const state = { phase: { kind: 'open', turn: 1, deadlineMs: Date.now() + 60_000 } };
    const progress = { state, turn: 1, next: { actorId: 'c7', deadlineMs: Date.now() + 60_000 }, ended: null, events: [event], combatants: [] };
    const combatants = [{ characterId: 'c7', userId: 'p7', name: 'Player 7', side: 0, health: 1, healthMax: 1 }];
    const command = { kind: 'combat.start', userId: 'p7', commandId: 'other' };
    await using _worker = await overtakenBy(() =>
      createCombat(bench.database, { combatId, realm: bench.realm, zoneId: 'meadow' as ZoneId, seed: 'x', command, progress, combatants }, { memoryMs: 0 }),
    );
    await bench.start(combatId, ['c7', 'c8']);
    await eventually(async () => expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1']));
    expect(await bench.told()).toContainEqual({ kind: 'event', event: 'combat:started', payload: event.payload, rooms: [`combat:${combatId}`] });
    expect(await deadCommands()).toBe(0);
  });
});
