import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CombatId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { type Bench, createBench, newCombatId } from './_bench.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await createBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

interface Standing {
  readonly combatId: CombatId;
  readonly actor: string;
  readonly other: string;
}

/** Lets a worker die at `place` while it works on what `push` brings, then lets another one finish it. */
async function dieAt(place: string, combatId: CombatId, push: () => Promise<void>): Promise<void> {
  await using fragile = await bench.fragile(place);
  await push();
  await fragile.exited;
  expect(fragile.isRunning()).toBe(false);
  await using _worker = await bench.work();
  await eventually(async () => (await bench.redis.llen(`{${bench.realm}}:lane:combat:${combatId}`)) === 0, { what: 'an empty lane', timeoutMs: 15_000 });
}

async function begin(): Promise<Standing> {
  const combatId = newCombatId();
  await using _worker = await bench.work();
  await bench.start(combatId);
  const [started] = await bench.logOf(combatId, 1);
  const [actor, other] = started?.payload['order'] as [string, string];
  await eventually(async () => (await bench.toldEvents(combatId)).length === 1);
  await bench.database.db.updateTable('combatants').set({ open: false }).where('combat_id', '=', combatId).execute();
  return { combatId, actor, other };
}

/** A fight in which the next blow of `actor` is the last, whatever chance says. */
async function almostOver(): Promise<Standing & { turn: number; length: number }> {
  const standing = await begin();
  await using _worker = await bench.work();
  for (let turn = 1; ; turn += 2) {
    const blow = { by: standing.actor, turn, action: { kind: 'attack' as const } };
    const length = turn;
    const health = healthOf(await bench.logOf(standing.combatId, length));
    if (health <= 16) return { ...standing, turn, length };
    // The dice may end the fight early: then it is begun anew.
    await bench.act(standing.combatId, blow);
    const events = await bench.logOf(standing.combatId, length + 1);
    if (healthOf(events) === 0) return almostOver();
    await bench.act(standing.combatId, { by: standing.other, turn: turn + 1, action: { kind: 'pass' } });
    await bench.logOf(standing.combatId, length + 2);
    await eventually(async () => (await bench.toldEvents(standing.combatId)).length === length + 2);
  }
}

function healthOf(events: readonly { payload: Record<string, unknown> }[]): number {
  const effects = events.flatMap(({ payload }) => (payload['effects'] as { health: number }[] | undefined) ?? []);
  return effects.at(-1)?.health ?? 100;
}

const timersOf = async (combatId: CombatId): Promise<number> => {
  const keys = await bench.redis.keys(`{${bench.realm}}:q:combat:timer-*${combatId}*`);
  return keys.length;
};

describe('a worker that dies while it starts a fight', () => {
  it.each(['loaded', 'committed', 'joined', 'emitted combat:started', 'told'])('at "%s" leaves one fight, told once, with its timer', async (place) => {
    const combatId = newCombatId();
    await dieAt(place, combatId, () => bench.start(combatId, ['c3', 'c4']));
    await bench.database.db.updateTable('combatants').set({ open: false }).where('combat_id', '=', combatId).execute();
    expect(await bench.log(combatId)).toHaveLength(1);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1']);
    const entries = await bench.told();
    const joins = entries.filter((entry) => entry.kind === 'join' && entry.rooms.includes(`combat:${combatId}`));
    expect(joins.length).toBeGreaterThanOrEqual(1);
    const told = entries.findIndex((entry) => entry.kind === 'event' && entry.payload['combatId'] === combatId);
    expect(entries.findIndex((entry) => entry === joins[0])).toBeLessThan(told);
    expect(await timersOf(combatId)).toBe(1);
  });
});

describe('a worker that dies in a turn', () => {
  it.each(['loaded', 'committed', 'emitted combat:resolved', 'told'])('at "%s" leaves one effect, told once, with the next timer', async (place) => {
    const { combatId, actor, other } = await begin();
    await dieAt(place, combatId, () => bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' }, commandId: 'blow' }));
    const log = await bench.log(combatId);
    expect(log.map(({ payload }) => payload['commandId'])).toEqual([undefined, 'blow']);
    expect(log[1]?.payload['next']).toMatchObject({ turn: 2, actorId: other });
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:resolved 2']);
    expect(await timersOf(combatId)).toBe(2);
  });

  it.each(['committed', 'told refusal'])('at "%s" of a refusal leaves it told once', async (place) => {
    const { combatId, other } = await begin();
    await dieAt(place, combatId, () => bench.act(combatId, { by: other, turn: 1, action: { kind: 'attack' } }));
    expect(await bench.log(combatId)).toHaveLength(1);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:refused combat/not-your-turn']);
  });
});

describe('a worker that dies with the last blow', () => {
  it.each(['committed', 'emitted combat:resolved', 'emitted combat:ended', 'told'])('at "%s" ends the fight once, told once, and empties its room', async (place) => {
    const { combatId, actor, turn, length } = await almostOver();
    await dieAt(place, combatId, () => bench.act(combatId, { by: actor, turn, action: { kind: 'attack' } }));
    const log = await bench.log(combatId);
    expect(log.slice(length).map(({ type }) => type)).toEqual(['combat:resolved', 'combat:ended']);
    const expected = log.map(({ type, payload }) => `${type} ${String(payload['seq'])}`);
    expect(await bench.toldEvents(combatId)).toEqual(expected);
    const leaves = (await bench.told()).filter((entry) => entry.kind === 'leave' && entry.rooms.includes(`combat:${combatId}`));
    expect(leaves.length).toBeGreaterThanOrEqual(1);
  });
});

describe('a worker that was frozen between load and save', () => {
  it('finds, when it wakes up, that another one has moved the fight on, and changes nothing', async () => {
    const { combatId, actor, other } = await begin();
    await using frozen = await bench.fragile('loaded', 'SIGSTOP');
    await bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' }, commandId: 'blow' });
    await using _worker = await bench.work();
    await bench.logOf(combatId, 2, 15_000);
    await bench.act(combatId, { by: other, turn: 2, action: { kind: 'pass' }, commandId: 'pass' });
    await bench.logOf(combatId, 3);
    frozen.resume();
    await bench.act(combatId, { by: actor, turn: 3, action: { kind: 'pass' }, commandId: 'another' });
    await bench.logOf(combatId, 4);
    await eventually(async () => (await bench.toldEvents(combatId)).length === 4);
    expect((await bench.log(combatId)).map(({ payload }) => payload['commandId'])).toEqual([undefined, 'blow', 'pass', 'another']);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:resolved 2', 'combat:resolved 3', 'combat:resolved 4']);
    expect(await frozen.stop()).toBe(null);
  });
});
