import type { CombatId, UserId } from '@skirmish/protocol';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  combatLog,
  commitCombatRefusal,
  forgetCombatRefusals,
  loadCombat,
  loadEntrants,
  loadPlayer,
  overdueCombats,
  type StoredCombat,
} from '../src/index.ts';
import { act, actBy, begin, lastStep, memoryMs, realm, resolved, startBy, step } from './_combats.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld({ players: 4 });
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.database.db.deleteFrom('combats').execute();
});

const f1 = 'f1' as CombatId;
const load = async (command = actBy('new')): Promise<StoredCombat> => {
  const combat = await loadCombat(world.database, f1, command);
  if (combat === null) throw new Error('no such combat');
  return combat;
};
const log = async (): Promise<number[]> => ((await combatLog(world.database, { combatId: f1, afterSeq: 0, limit: 200 }))?.events ?? []).map((event) => event.seq);

describe('a fight that begins', () => {
  it('is stored with combatants, first event, command and deadline', async () => {
    expect(await begin(world.database, 'f1')).toBe('committed');
    const untold = [{ seq: 1, type: 'combat:started', payload: { seq: 1 } }];
    const combat = await load(startBy('start-f1'));
    expect(combat).toEqual({
      combatId: 'f1',
      realm: 'main',
      version: 1,
      lastSeq: 1,
      seed: 'secret',
      state: { seq: 1 },
      userIds: ['p1', 'p2'],
      untold,
      outcome: { kind: 'resolved', firstSeq: 1, lastSeq: 1 },
    });
    expect((await loadPlayer(world.database, { userId: 'p2' as UserId }))?.combats).toEqual(['f1']);
    const entrants = await loadEntrants(world.database, ['c1', 'c3', 'nobody']);
    expect(entrants.toSorted((a, b) => a.characterId.localeCompare(b.characterId))).toEqual([
      { characterId: 'c1', userId: 'p1', name: 'Player 1', openCombats: 1 },
      { characterId: 'c3', userId: 'p3', name: 'Player 3', openCombats: 0 },
    ]);
  });

  it('begins once, however often the step is repeated, also at the same time', async () => {
    const results = await Promise.all([1, 2, 3].map(() => begin(world.database, 'f1')));
    expect(results.filter((result) => result === 'committed')).toHaveLength(1);
    expect(await log()).toEqual([1]);
  });

  it('is not begun a second time by the same command under another id, within its memory', async () => {
    await begin(world.database, 'f1', { command: startBy('x') });
    expect(await begin(world.database, 'f2', { command: startBy('x') })).toBe('stale');
    expect(await begin(world.database, 'f3', { command: startBy('x', 'p3') })).toBe('committed');
    await world.database.db.updateTable('combats').set({ created_at_ms: Date.now() - memoryMs - 60_000 }).where('combat_id', '=', 'f1').execute();
    expect(await begin(world.database, 'f4', { command: startBy('x') })).toBe('committed');
  });
});

describe('a step', () => {
  beforeEach(async () => {
    await begin(world.database, 'f1');
  });

  it('moves version, state, turn and deadline on, and leaves its event and outcome', async () => {
    expect(await act(world.database, 'f1', 1, 'a', step(2))).toBe('committed');
    expect(await load(actBy('a'))).toMatchObject({ version: 2, lastSeq: 2, state: { seq: 2 }, outcome: { kind: 'resolved', firstSeq: 2, lastSeq: 2 }, untold: [resolved(2)] });
    expect(await overdueCombats(world.database, { realm, beforeMs: 1003, limit: 10 })).toEqual([{ combatId: 'f1', turn: 2 }]);
    expect(await overdueCombats(world.database, { realm, beforeMs: 1002, limit: 10 })).toEqual([]);
  });

  it('that is repeated changes nothing', async () => {
    await act(world.database, 'f1', 1, 'a', step(2));
    expect(await act(world.database, 'f1', 1, 'a', step(2))).toBe('repeated');
    expect(await act(world.database, 'f1', 2, 'a', step(3))).toBe('repeated');
    expect(await load()).toMatchObject({ version: 2, lastSeq: 2, outcome: null });
    expect(await log()).toEqual([1, 2]);
  });

  it('that was decided on an old version is stale, and its command stays unknown', async () => {
    await act(world.database, 'f1', 1, 'a', step(2));
    expect(await act(world.database, 'f1', 1, 'b', step(2))).toBe('stale');
    expect(await act(world.database, 'f1', 2, 'b', step(4))).toBe('stale');
    await world.database.db.updateTable('combats').set({ version: 5 }).execute();
    expect(await act(world.database, 'f1', 2, 'b', step(3))).toBe('stale');
    expect((await load(actBy('b'))).outcome).toBeNull();
    expect(await log()).toEqual([1, 2]);
  });

  it('of several workers at once is committed by one', async () => {
    const same = await Promise.all([1, 2, 3, 4].map(() => act(world.database, 'f1', 1, 'a', step(2))));
    expect(same.toSorted()).toEqual(['committed', 'repeated', 'repeated', 'repeated']);
    const different = await Promise.all(['b', 'c', 'd'].map((commandId) => act(world.database, 'f1', 2, commandId, step(3))));
    expect(different.toSorted()).toEqual(['committed', 'stale', 'stale']);
    expect(await log()).toEqual([1, 2, 3]);
  });

  it('without an event is a mistake of the caller and leaves nothing', async () => {
    await expect(act(world.database, 'f1', 1, 'a', step(2, { events: [] }))).rejects.toThrow(RangeError);
    await expect(act(world.database, 'f1', 1, 'a', step(2, { state: { n: 1n } }))).rejects.toThrow(TypeError);
    expect(await load(actBy('a'))).toMatchObject({ version: 1, outcome: null });
  });

  it('that ends the fight closes it for everybody', async () => {
    expect(await act(world.database, 'f1', 1, 'a', lastStep(2))).toBe('committed');
    expect((await loadPlayer(world.database, { userId: 'p1' as UserId }))?.combats).toEqual([]);
    expect(await loadEntrants(world.database, ['c1'])).toMatchObject([{ openCombats: 0 }]);
    expect(await overdueCombats(world.database, { realm, beforeMs: Number.MAX_SAFE_INTEGER, limit: 10 })).toEqual([]);
    const combatants = await world.database.db.selectFrom('combatants').select(['character_id', 'health', 'open']).orderBy('character_id').execute();
    expect(combatants).toEqual([
      { character_id: 'c1', health: 40, open: false },
      { character_id: 'c2', health: 0, open: false },
    ]);
  });
});

describe('a refusal', () => {
  beforeEach(async () => {
    await begin(world.database, 'f1');
  });
  const refuse = () => commitCombatRefusal(world.database, { combatId: f1, command: actBy('late'), code: 'combat/stale-turn' });

  it('is remembered and given again', async () => {
    expect(await refuse()).toBe('committed');
    expect(await refuse()).toBe('repeated');
    expect((await load(actBy('late'))).outcome).toEqual({ kind: 'refused', code: 'combat/stale-turn' });
  });

  it('is forgotten after its time, a few at once, and what was resolved is not', async () => {
    await refuse();
    expect(await forgetCombatRefusals(world.database, { olderThanMs: 60_000, limit: 10 })).toBe(0);
    await sql`update combat_commands set at_ms = at_ms - 120000`.execute(world.database.db);
    expect(await forgetCombatRefusals(world.database, { olderThanMs: 60_000, limit: 0 })).toBe(0);
    expect(await forgetCombatRefusals(world.database, { olderThanMs: 60_000, limit: 10 })).toBe(1);
    expect((await load(startBy('start-f1'))).outcome).toMatchObject({ kind: 'resolved' });
  });
});

describe('the log', () => {
  it('comes in pages, in order, and says whether it is complete', async () => {
    await begin(world.database, 'f1');
    await act(world.database, 'f1', 1, 'a', step(2, { events: [resolved(2), resolved(3)] }));
    const page = (afterSeq: number, limit: number) => combatLog(world.database, { combatId: f1, afterSeq, limit });
    expect(await page(0, 2)).toMatchObject({ events: [{ seq: 1 }, resolved(2)], complete: false });
    expect(await page(2, 2)).toEqual({ events: [resolved(3)], complete: true });
    expect(await page(3, 2)).toEqual({ events: [], complete: true });
    expect(await combatLog(world.database, { combatId: 'nothing' as CombatId, afterSeq: 0, limit: 1 })).toBeNull();
    expect(await loadCombat(world.database, 'nothing' as CombatId, actBy('a'))).toBeNull();
  });
});
