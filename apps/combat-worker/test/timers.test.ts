import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '@skirmish/testing';
import { type Bench, createBench, newCombatId } from './_bench.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await createBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

describe('a turn that nobody takes', () => {
  it('[CMB6] passes by its timer, and the fight is abandoned after three in a row', async () => {
    const combatId = newCombatId();
    await using _worker = await bench.work({ TURN_TIMEOUT_MS: '150', SWEEP_GRACE_MS: '60000' });
    await bench.start(combatId);
    const events = await bench.logOf(combatId, 7, 18_000);
    const [first, second] = events[0]?.payload['order'] as [string, string];
    expect(events.slice(1, 6).map(({ payload }) => [payload['actorId'], payload['commandId']])).toEqual(
      [first, second, first, second, first].map((actor, i) => [actor, `timeout-${i + 1}`]),
    );
    expect(events[6]).toMatchObject({ type: 'combat:ended', payload: { outcome: 'abandoned', winners: [second] } });
    expect(events[1]?.payload['action']).toEqual({ kind: 'pass', timedOut: true });
    await eventually(async () => (await bench.toldEvents(combatId)).length === 7);
  });

  it('is found by the sweeper when Redis has lost the timer, once however many sweep', async () => {
    const combatId = newCombatId();
    {
      await using _worker = await bench.work();
      await bench.start(combatId);
      await bench.logOf(combatId, 1);
      await eventually(async () => (await bench.toldEvents(combatId)).length === 1);
    }
    const timers = await bench.redis.keys(`{${bench.realm}}:q:combat:*`);
    await bench.redis.del(timers);
    // The turn is over only now: the first worker has seen nothing of that, however slow it was.
    await bench.database.db.updateTable('combats').set({ deadline_ms: Date.now() - 1_000 }).where('combat_id', '=', combatId).execute();
    await using _first = await bench.work();
    await using _second = await bench.work();
    const events = await bench.logOf(combatId, 2);
    expect(events[1]).toMatchObject({ payload: { turn: 1, commandId: 'timeout-1' } });
    await eventually(async () => (await bench.redis.llen(`{${bench.realm}}:lane:combat:${combatId}`)) === 0, { timeoutMs: 15_000 });
    expect(await bench.log(combatId)).toHaveLength(2);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:resolved 2']);
  });

  it('is found by the sweeper behind more fights than it looks at in a round, none of which can go on', async () => {
    const stuck = Array.from({ length: 250 }, (_, n) => {
      return { combat_id: `stuck-${n}`, realm: bench.realm, zone_id: 'meadow', status: 'open' as const, deadline_ms: n, seed: 'x', state: '{}' };
    });
    const combatId = newCombatId();
    {
      await using _worker = await bench.work();
      await bench.start(combatId, ['c3', 'c4']);
      await bench.logOf(combatId, 1);
      await eventually(async () => (await bench.toldEvents(combatId)).length === 1);
    }
    const timers = await bench.redis.keys(`{${bench.realm}}:q:combat:*`);
    await bench.redis.del(timers);
    await bench.database.db.updateTable('combats').set({ deadline_ms: Date.now() - 1_000 }).where('combat_id', '=', combatId).execute();
    await bench.database.db.insertInto('combats').values(stuck).execute();
    await using _worker = await bench.work({ LOG_LEVEL: 'silent' });
    await bench.logOf(combatId, 2, 40_000);
  });
});
