import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CombatId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { type Bench, createBench, createWorld, newCombatId, type World } from './_bench.ts';

/** What dies is a real process, by SIGKILL at a named place; each case has a realm of its own, so they run side by side. */
let world: World;
let pairs = 0;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A fight between two characters who are in no other, and what is told of it. */
async function createFight() {
  const bench = await createBench(world);
  pairs += 1;
  const characters = [`c${2 * pairs - 1}`, `c${2 * pairs}`] as const;
  const combatId = newCombatId();
  return { bench, combatId, characters, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
}

const emptyLane = (bench: Bench, combatId: CombatId): Promise<boolean> =>
  eventually(async () => (await bench.redis.llen(`{${bench.realm}}:lane:combat:${combatId}`)) === 0, { what: 'an empty lane', timeoutMs: 20_000 });

/** Lets a worker die at `place` while it works on what `push` brings, then lets another one finish it. */
async function dieAt(place: string, { bench, combatId }: { bench: Bench; combatId: CombatId }, push: () => Promise<void>): Promise<void> {
  await using fragile = await bench.fragile(place);
  await push();
  await fragile.exited;
  await using _worker = await bench.work();
  await emptyLane(bench, combatId);
}

async function begin({ bench, combatId, characters }: Awaited<ReturnType<typeof createFight>>): Promise<{ actor: string; other: string }> {
  await using _worker = await bench.work();
  await bench.start(combatId, characters);
  const [started] = await bench.logOf(combatId, 1);
  await emptyLane(bench, combatId);
  const [actor = '', other = ''] = started?.payload['order'] as string[];
  return { actor, other };
}

/** Fights until the next blow of `actor` is the last one, whatever chance says; null when chance was quicker. */
async function almostOver(fight: Awaited<ReturnType<typeof createFight>>): Promise<{ actor: string; turn: number } | null> {
  const { bench, combatId } = fight;
  const { actor, other } = await begin(fight);
  await using _worker = await bench.work();
  for (let turn = 1; ; turn += 2) {
    const health = healthOf(await bench.logOf(combatId, turn));
    if (health === 0) return null;
    if (health <= 16) return { actor, turn };
    await bench.act(combatId, { by: actor, turn, action: { kind: 'attack' } });
    await bench.act(combatId, { by: other, turn: turn + 1, action: { kind: 'pass' } });
    await bench.logOf(combatId, turn + 2);
    await emptyLane(bench, combatId);
  }
}

function healthOf(events: readonly { payload: Record<string, unknown> }[]): number {
  const effects = events.flatMap(({ payload }) => (payload['effects'] as { health: number }[] | undefined) ?? []);
  return effects.at(-1)?.health ?? 100;
}

const timersOf = async (bench: Bench, combatId: CombatId): Promise<number> =>
  (await bench.redis.keys(`{${bench.realm}}:q:combat:timer-*${combatId}*`)).length;

describe.concurrent('a worker that dies while it starts a fight', { timeout: 60_000 }, () => {
  it.each(['loaded', 'committed', 'joined', 'emitted combat:started', 'told'])('at "%s" leaves one fight, told once, with its timer', async (place) => {
    await using fight = await createFight();
    const { bench, combatId, characters } = fight;
    await dieAt(place, fight, () => bench.start(combatId, characters));
    expect(await bench.log(combatId)).toHaveLength(1);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1']);
    const [first] = await bench.told();
    expect(first).toEqual({ kind: 'join', members: expect.any(Array), rooms: [`combat:${combatId}`] });
    expect(await timersOf(bench, combatId)).toBe(1);
  });
});

describe.concurrent('a worker that dies in a turn', { timeout: 60_000 }, () => {
  it.each(['loaded', 'committed', 'emitted combat:resolved', 'told'])('at "%s" leaves one effect, told once, with the next timer', async (place) => {
    await using fight = await createFight();
    const { bench, combatId } = fight;
    const { actor, other } = await begin(fight);
    await dieAt(place, fight, () => bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' }, commandId: 'blow' }));
    const log = await bench.log(combatId);
    expect(log.map(({ payload }) => payload['commandId'])).toEqual([undefined, 'blow']);
    expect(log[1]?.payload['next']).toMatchObject({ turn: 2, actorId: other });
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:resolved 2']);
    expect(await timersOf(bench, combatId)).toBe(2);
  });

  it.each(['committed', 'told refusal'])('at "%s" of a refusal leaves it told once', async (place) => {
    await using fight = await createFight();
    const { bench, combatId } = fight;
    const { other } = await begin(fight);
    await dieAt(place, fight, () => bench.act(combatId, { by: other, turn: 1, action: { kind: 'attack' } }));
    expect(await bench.log(combatId)).toHaveLength(1);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:refused combat/not-your-turn']);
  });
});

describe.concurrent('a worker that dies with the last blow', { timeout: 60_000 }, () => {
  it.each(['committed', 'emitted combat:resolved', 'emitted combat:ended', 'told'])('at "%s" ends the fight once, told once, and empties its room', async (place) => {
    for (;;) {
      await using fight = await createFight();
      const { bench, combatId } = fight;
      const last = await almostOver(fight);
      if (last === null) continue;
      await dieAt(place, fight, () => bench.act(combatId, { by: last.actor, turn: last.turn, action: { kind: 'attack' } }));
      const log = await bench.log(combatId);
      expect(log.slice(last.turn).map(({ type }) => type)).toEqual(['combat:resolved', 'combat:ended']);
      expect(await bench.toldEvents(combatId)).toEqual(log.map(({ type, payload }) => `${type} ${String(payload['seq'])}`));
      const room = `combat:${combatId}`;
      expect((await bench.told()).at(-1)).toEqual({ kind: 'leave', members: [room], rooms: [room] });
      return;
    }
  });
});

describe.concurrent('a worker that was frozen between load and save', { timeout: 60_000 }, () => {
  it('finds, when it wakes up, that another one has moved the fight on, and changes nothing', async () => {
    await using fight = await createFight();
    const { bench, combatId } = fight;
    const { actor, other } = await begin(fight);
    await using frozen = await bench.fragile('loaded', 'SIGSTOP');
    await bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' }, commandId: 'blow' });
    await using _worker = await bench.work();
    await bench.logOf(combatId, 2, 20_000);
    await bench.act(combatId, { by: other, turn: 2, action: { kind: 'pass' }, commandId: 'pass' });
    await bench.logOf(combatId, 3, 20_000);
    frozen.resume();
    await bench.act(combatId, { by: actor, turn: 3, action: { kind: 'pass' }, commandId: 'another' });
    await bench.logOf(combatId, 4, 20_000);
    await emptyLane(bench, combatId);
    expect((await bench.log(combatId)).map(({ payload }) => payload['commandId'])).toEqual([undefined, 'blow', 'pass', 'another']);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:resolved 2', 'combat:resolved 3', 'combat:resolved 4']);
    await frozen.kill();
  });
});
