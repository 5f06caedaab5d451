/** The events of a fight and the state that they add up to. */
import * as v from 'valibot';

import { epochMs, finite, integer, listOf, sentence, token } from './bounds.ts';
import { abilityIdSchema, characterIdSchema, combatIdSchema, commandIdSchema, userIdSchema } from './ids.ts';
import { combatantsMax, combatTurnMax, nameLengthMax } from './limits.ts';

export const combatActionKinds = ['attack', 'defend', 'ability', 'flee', 'pass'] as const;

/** What a combatant tries in its turn; whether it may, and what comes of it, the worker decides. */
export const combatActionSchema = v.strictObject({
  kind: v.picklist(combatActionKinds),
  abilityId: v.exactOptional(abilityIdSchema),
  targetId: v.exactOptional(characterIdSchema),
});
export type CombatAction = v.InferOutput<typeof combatActionSchema>;

/** What was done in a turn; `timedOut` marks a pass that nobody asked for. */
const combatDoneSchema = v.object({ ...combatActionSchema.entries, timedOut: v.exactOptional(v.boolean()) });

export const turnSchema = integer(0, combatTurnMax);
export const seqSchema = integer(1, combatTurnMax);
const health = integer(0, 1_000_000);

const combatantSchema = v.object({
  characterId: characterIdSchema,
  /** Null for a character of the world itself. */
  userId: v.nullable(userIdSchema),
  name: sentence(nameLengthMax),
  side: integer(0, combatantsMax),
  health,
  healthMax: health,
});
export type Combatant = v.InferOutput<typeof combatantSchema>;

const nextTurnSchema = v.object({ turn: turnSchema, actorId: characterIdSchema, deadlineMs: epochMs });

const effectSchema = v.object({
  /** `damage`, `heal`, `guard`, `fled`, …: more may come, a client shows unknown ones as text. */
  kind: token(40, /^[a-z0-9-]+$/),
  from: characterIdSchema,
  to: characterIdSchema,
  amount: finite(1_000_000),
  critical: v.boolean(),
  /** Of `to`, afterwards. */
  health,
});
export type CombatEffect = v.InferOutput<typeof effectSchema>;

const gain = integer(0, 1_000_000_000);
const rewardSchema = v.looseObject({ characterId: characterIdSchema, experience: v.exactOptional(gain), gold: v.exactOptional(gain) });

export const combatStartedSchema = v.object({
  combatId: combatIdSchema,
  seq: seqSchema,
  combatants: listOf(combatantSchema, combatantsMax),
  order: listOf(characterIdSchema, combatantsMax),
  turn: turnSchema,
  actorId: characterIdSchema,
  deadlineMs: epochMs,
  seedHash: token(128, /^[0-9a-f]+$/),
});

export const combatResolvedSchema = v.object({
  combatId: combatIdSchema,
  seq: seqSchema,
  turn: turnSchema,
  /** The actor's own, or one that the worker made where the time for the turn ran out. */
  commandId: commandIdSchema,
  actorId: characterIdSchema,
  action: combatDoneSchema,
  effects: listOf(effectSchema, 100),
  next: v.nullable(nextTurnSchema),
});

export const combatEndedSchema = v.object({
  combatId: combatIdSchema,
  seq: seqSchema,
  outcome: v.picklist(['victory', 'fled', 'abandoned']),
  winners: listOf(characterIdSchema, combatantsMax),
  rewards: listOf(rewardSchema, 100),
  seed: token(128, /^[0-9a-f]+$/),
});

/** One entry of a fight's log: the object that was sent, with its event name as `type`. */
export const combatLogEntrySchema = v.variant('type', [
  v.object({ type: v.literal('combat:started'), ...combatStartedSchema.entries }),
  v.object({ type: v.literal('combat:resolved'), ...combatResolvedSchema.entries }),
  v.object({ type: v.literal('combat:ended'), ...combatEndedSchema.entries }),
]);
export type CombatLogEntry = v.InferOutput<typeof combatLogEntrySchema>;

/** A fight as spectators may see it. */
export const combatStateSchema = v.object({
  combatId: combatIdSchema,
  seq: integer(0, combatTurnMax),
  combatants: listOf(combatantSchema, combatantsMax),
  order: listOf(characterIdSchema, combatantsMax),
  next: v.nullable(nextTurnSchema),
});
export type CombatState = v.InferOutput<typeof combatStateSchema>;
