import type { CharacterId, CombatId, RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { commitCombatStep, createCombat, type CombatCommandKey, type CombatProgress, type CommitResult, type Database, type NewCombat, type StoredCombatEvent } from '../src/index.ts';

export const realm = 'main' as RealmId;
export const memoryMs = 600_000;
const [c1, c2] = ['c1', 'c2'] as [CharacterId, CharacterId];

export const startBy = (commandId: string, userId = 'p1'): CombatCommandKey => ({ kind: 'combat.start', userId, commandId });
export const actBy = (commandId: string, userId = 'p1'): CombatCommandKey => ({ kind: 'combat.act', userId, commandId });
export const resolved = (seq: number): StoredCombatEvent => ({ seq, type: 'combat:resolved', payload: { seq, text: `event ${seq}` } });

/** The fight goes on: one event, the turn of its number. */
export const step = (seq: number, more: Partial<CombatProgress> = {}): CombatProgress => ({
  state: { seq },
  turn: seq,
  next: { actorId: c2, deadlineMs: 1000 + seq },
  ended: null,
  events: [resolved(seq)],
  combatants: [],
  ...more,
});

/** The fight is over. */
export const lastStep = (seq: number): CombatProgress =>
  step(seq, {
    next: null,
    ended: 'victory',
    combatants: [
      { characterId: c1, health: 40 },
      { characterId: c2, health: 0 },
    ],
  });

/** A fight of `p1` with `p2` and its first event. */
export const begin = (database: Database, combatId: string, more: Partial<NewCombat> = {}): Promise<CommitResult> => {
  const side = (characterId: CharacterId, userId: string, n: number) => ({ characterId, userId: userId as UserId, name: `Player ${n}`, side: n, health: 100, healthMax: 100 });
  const combat: NewCombat = {
    combatId: combatId as CombatId,
    realm,
    zoneId: 'meadow' as ZoneId,
    seed: 'secret',
    command: startBy(`start-${combatId}`),
    progress: step(1, { events: [{ seq: 1, type: 'combat:started', payload: { seq: 1 } }] }),
    combatants: [side(c1, 'p1', 1), side(c2, 'p2', 2)],
    ...more,
  };
  return createCombat(database, combat, { memoryMs });
};

export const act = (database: Database, combatId: string, version: number, commandId: string, progress: CombatProgress): Promise<CommitResult> =>
  commitCombatStep(database, { combatId: combatId as CombatId, version, command: actBy(commandId), progress });
