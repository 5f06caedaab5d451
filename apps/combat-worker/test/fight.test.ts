import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlayerChanges } from '@skirmish/emitter';
import { type CombatId, serverEvents, type UserId } from '@skirmish/protocol';
import { eventually, type ManagedProcess, startProcess } from '@skirmish/testing';
import * as v from 'valibot';
import type { CombatEvent } from '../src/combat/combat-state.ts';
import { replay } from '../src/index.ts';
import { type Bench, createBench, newCombatId, userOf } from './_bench.ts';

let bench: Bench;
let worker: ManagedProcess;

beforeAll(async () => {
  bench = await createBench();
  worker = await startProcess({ name: 'combat worker', entry: new URL('../src/main.ts', import.meta.url), env: bench.env });
});
afterAll(async () => {
  await worker.stop();
  await bench[Symbol.asyncDispose]();
});

/** Lets every actor attack until somebody has won. */
async function fightOut(combatId: CombatId): Promise<CombatEvent[]> {
  for (let length = 1; ; length += 1) {
    const events = (await bench.logOf(combatId, length)) as unknown as CombatEvent[];
    const last = events.at(-1);
    if (last?.type === 'combat:ended') return events;
    const turn = last?.type === 'combat:started' ? last.payload : last?.payload.next;
    if (!turn) continue;
    await bench.act(combatId, { by: turn.actorId, turn: turn.turn, action: { kind: 'attack' } });
  }
}

describe('a fight through the lane, by a worker process', () => {
  it('[CMB4] [CMB8] is stored, told in order, and can be replayed from the revealed seed', async () => {
    const combatId = newCombatId();
    await bench.start(combatId);
    const events = await fightOut(combatId);
    expect(events.map((event) => event.payload.seq)).toEqual(events.map((_, i) => i + 1));
    expect(replay(events)).toMatchObject({ ok: true });

    const told = await eventually(async () => {
      const entries = await bench.told();
      if (entries.at(-1)?.kind !== 'leave') throw new Error('not left yet');
      return entries;
    });
    const room = `combat:${combatId}`;
    expect(told[0]).toEqual({ kind: 'join', members: ['user:p1', 'user:p2'].toSorted(), rooms: [room] });
    expect(told.at(-1)).toEqual({ kind: 'leave', members: [room], rooms: [room] });
    expect(told.slice(1, -1)).toEqual(events.map(({ type, payload }) => ({ kind: 'event', event: type, payload, rooms: [room] })));
    for (const { type, payload } of events) expect(v.safeParse(serverEvents[type].schema, payload).issues).toBeUndefined();
  });

  it('tells gateways that have read the fighters before, when it begins and when it ends', async () => {
    const changes = new PlayerChanges(bench.redis, bench.realm);
    const mark = async (): Promise<string | null> => (await changes.of(userOf('c5'))).mark;
    const combatId = newCombatId();
    expect(await mark()).toBeNull();
    await bench.start(combatId, ['c5', 'c6']);
    await bench.logOf(combatId, 1);
    const begun = await eventually(async () => {
      const now = await mark();
      if (now === null) throw new Error('not marked');
      return now;
    });
    await fightOut(combatId);
    await eventually(async () => expect(await mark()).not.toBe(begun));
  });

  it('closes the fight for its fighters, with the health that they are left with', async () => {
    const combatId = newCombatId();
    await bench.start(combatId, ['c3', 'c4']);
    const events = await fightOut(combatId);
    const rows = await bench.database.db.selectFrom('combatants').selectAll().where('combat_id', '=', combatId).orderBy('character_id').execute();
    const health = new Map(events.flatMap((event) => (event.type === 'combat:resolved' ? event.payload.effects.map(({ to, health }) => [to, health]) : [])));
    expect(rows.map((row) => [row.character_id, row.open, row.health])).toEqual(['c3', 'c4'].map((id) => [id, false, health.get(id as never) ?? 100]));
    const combat = await bench.database.db.selectFrom('combats').selectAll().where('combat_id', '=', combatId).executeTakeFirstOrThrow();
    expect(combat).toMatchObject({ status: 'ended', outcome: 'victory', deadline_ms: null, last_seq: events.length });
  });

  it('[CMB5] tells an actor alone why a command was refused', async () => {
    const combatId = newCombatId();
    await bench.start(combatId, ['c5', 'c6']);
    const [started] = await bench.logOf(combatId, 1);
    const actor = String(started?.payload['actorId']);
    const other = actor === 'c5' ? 'c6' : 'c5';
    const refusals = [
      { by: other, turn: 1, action: { kind: 'attack' as const }, code: 'combat/not-your-turn' },
      { by: actor, turn: 7, action: { kind: 'attack' as const }, code: 'combat/stale-turn' },
      { by: actor, turn: 1, action: { kind: 'flee' as const }, code: 'combat/unknown-ability' },
      { by: actor, turn: 1, action: { kind: 'attack' as const, targetId: actor as never }, code: 'combat/invalid-target' },
      { by: 'c9', turn: 1, action: { kind: 'attack' as const }, code: 'combat/not-participant' },
    ];
    for (const [i, { by, turn, action }] of refusals.entries()) await bench.act(combatId, { by, turn, action, commandId: `bad-${i}` });
    const told = await eventually(async () => {
      const found = (await bench.told()).filter((entry) => entry.kind === 'event' && entry.event === 'combat:refused' && entry.payload['combatId'] === combatId);
      if (found.length !== refusals.length) throw new Error(`${found.length} refusals`);
      return found;
    });
    expect(told.map((entry) => (entry.kind === 'event' ? [entry.rooms, entry.payload['commandId'], entry.payload['code']] : []))).toEqual(
      refusals.map(({ by, code }, i) => [[`user:${userOf(by)}`], `bad-${i}`, code]),
    );
    for (const entry of told) if (entry.kind === 'event') v.parse(serverEvents['combat:refused'].schema, entry.payload);
    expect(await bench.log(combatId)).toHaveLength(1);
  });

  it('refuses a fight that does not exist, with nobody, with oneself, under another user, and one too many', async () => {
    const codeOf = (combatId: CombatId): Promise<string> =>
      eventually(async () => (await bench.toldEvents(combatId)).find((text) => text.startsWith('combat:refused'))?.slice(15) ?? '');
    const unknown = newCombatId();
    await bench.act(unknown, { by: 'c1', turn: 1, action: { kind: 'pass' } });
    expect(await codeOf(unknown)).toBe('combat/not-found');
    for (const characters of [['c7'], ['c7', 'c7'], ['c7', 'c9999']]) {
      const combatId = newCombatId();
      await bench.start(combatId, characters);
      expect(await codeOf(combatId)).toBe('combat/invalid-target');
    }
    const foreign = newCombatId();
    const body = { combatId: foreign, zoneId: 'meadow', challenger: { userId: 'p8' as UserId, characterId: 'c7' }, opponents: ['c8'] } as never;
    await bench.lanes.push({ key: foreign, kind: 'combat.start', body });
    expect(await codeOf(foreign)).toBe('combat/not-participant');
    const fights = Array.from({ length: 6 }, newCombatId);
    for (const combatId of fights) {
      await bench.start(combatId, ['c7', 'c8']);
      await eventually(async () => (await bench.toldEvents(combatId)).length > 0);
    }
    expect(await codeOf(fights[5]!)).toBe('combat/engaged');
    expect(await bench.toldEvents(fights[4]!)).toEqual(['combat:started 1']);
  });

  it('begins once when the same command comes under another fight id, and once when the same fight comes again', async () => {
    const [first, second] = [newCombatId(), newCombatId()];
    await bench.start(first, ['c11', 'c12'], 'once');
    await bench.logOf(first, 1);
    // As after a Redis that came back empty: it has forgotten the command.
    await forget('p11', 'combat:start', 'once');
    await bench.start(second, ['c11', 'c12'], 'once');
    await forget('p11', 'combat:start', 'once');
    await bench.start(first, ['c11', 'c12'], 'once');
    await idle(first);
    await idle(second);
    expect(await bench.log(second)).toEqual([]);
    expect(await bench.toldEvents(second)).toEqual([]);
    expect(await bench.toldEvents(first)).toEqual(['combat:started 1']);
  });

  it('has one effect for a command that Redis has forgotten, and repeats its refusal although the turn has come', async () => {
    const combatId = newCombatId();
    await bench.start(combatId, ['c13', 'c14']);
    const [started] = await bench.logOf(combatId, 1);
    const [actor, other] = started?.payload['order'] as [string, string];
    await bench.act(combatId, { by: other, turn: 2, action: { kind: 'attack' }, commandId: 'early' });
    await bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' }, commandId: 'hit' });
    await bench.logOf(combatId, 2);
    await forget(userOf(actor), 'combat:act', 'hit');
    await forget(userOf(other), 'combat:act', 'early');
    await bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' }, commandId: 'hit' });
    await bench.act(combatId, { by: other, turn: 2, action: { kind: 'attack' }, commandId: 'early' });
    await idle(combatId);
    expect(await bench.log(combatId)).toHaveLength(2);
    const stale = 'combat:refused combat/stale-turn';
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', stale, 'combat:resolved 2', stale]);
  });
});

describe('a fight that the rules cannot read', () => {
  it('costs its command three tries, tells the actor, and holds up nobody else', async () => {
    const [broken, whole] = [newCombatId(), newCombatId()];
    await bench.start(broken, ['c15', 'c16']);
    await bench.start(whole, ['c17', 'c18']);
    const [started] = await bench.logOf(whole, 1);
    await bench.logOf(broken, 1);
    await bench.database.db.updateTable('combats').set({ state: '{}' }).where('combat_id', '=', broken).execute();
    await bench.act(broken, { by: 'c15', turn: 1, action: { kind: 'pass' } });
    await bench.act(whole, { by: String(started?.payload['actorId']), turn: 1, action: { kind: 'pass' } });
    await bench.logOf(whole, 2);
    await eventually(async () => expect(await bench.toldEvents(broken)).toEqual(['combat:started 1', 'combat:refused server/internal']));
    await idle(broken);
    expect(await bench.redis.llen(`{${bench.realm}}:lane-dead:combat`)).toBe(1);
    expect(await bench.log(broken)).toHaveLength(1);
  });
});

const forget = async (userId: string, event: string, commandId: string): Promise<void> => {
  const removed = await bench.redis.del(`{${bench.realm}}:command:${userId}:${event}:${commandId}`);
  expect(removed).toBe(1);
};

/** Resolves when the lane of a fight is empty. */
const idle = (combatId: CombatId): Promise<boolean> =>
  eventually(async () => (await bench.redis.llen(`{${bench.realm}}:lane:combat:${combatId}`)) === 0, { what: 'an empty lane' });
