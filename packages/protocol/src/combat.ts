/** Fights: what a player may try, what the worker decided. */
import * as v from 'valibot';

import { epochMs, integer, listOf, sentence } from './bounds.ts';
import {
  combatActionSchema,
  combatEndedSchema,
  combatLogEntrySchema,
  combatResolvedSchema,
  combatStartedSchema,
  combatStateSchema,
  turnSchema,
} from './combat-events.ts';
import { characterIdSchema, combatIdSchema, commandIdSchema, encounterIdSchema, userIdSchema } from './ids.ts';
import { combatantsMax, combatLogLimitMax, combatTurnMax, messageLengthMax, nameLengthMax } from './limits.ts';
import { refusalCodes } from './refusals.ts';
import { nothing } from './shapes.ts';

const answerToChallenge = { payload: v.strictObject({ commandId: commandIdSchema, combatId: combatIdSchema }), answer: nothing } as const;

export const combatClientEvents = {
  'combat:start': {
    payload: v.union([
      v.strictObject({
        commandId: commandIdSchema,
        opponents: v.pipe(listOf(characterIdSchema, combatantsMax - 1), v.minLength(1), v.check((ids) => new Set(ids).size === ids.length)),
      }),
      v.strictObject({ commandId: commandIdSchema, encounterId: encounterIdSchema }),
    ]),
    answer: v.object({ combatId: combatIdSchema }),
  },
  'combat:accept': answerToChallenge,
  'combat:decline': answerToChallenge,
  'combat:act': {
    payload: v.strictObject({ commandId: commandIdSchema, combatId: combatIdSchema, turn: turnSchema, action: combatActionSchema }),
    answer: v.object({ accepted: v.literal(true) }),
  },
  'combat:watch': { payload: v.strictObject({ combatId: combatIdSchema }), answer: v.object({ state: combatStateSchema }) },
  'combat:unwatch': { payload: v.strictObject({ combatId: combatIdSchema }), answer: nothing },
  'combat:log': {
    payload: v.strictObject({
      combatId: combatIdSchema,
      afterSeq: v.exactOptional(integer(0, combatTurnMax)),
      limit: v.exactOptional(integer(1, combatLogLimitMax)),
    }),
    answer: v.object({ events: listOf(combatLogEntrySchema, combatLogLimitMax), complete: v.boolean() }),
  },
} as const;

export const combatServerEvents = {
  'combat:challenged': {
    schema: v.object({
      combatId: combatIdSchema,
      from: v.object({ userId: userIdSchema, characterId: characterIdSchema, name: sentence(nameLengthMax) }),
      expiresAtMs: epochMs,
    }),
    class: 'critical',
  },
  'combat:started': { schema: combatStartedSchema, class: 'critical' },
  'combat:resolved': { schema: combatResolvedSchema, class: 'critical' },
  'combat:refused': {
    schema: v.object({
      combatId: combatIdSchema,
      commandId: commandIdSchema,
      code: v.picklist(refusalCodes),
      message: sentence(messageLengthMax),
    }),
    class: 'critical',
  },
  'combat:ended': { schema: combatEndedSchema, class: 'critical' },
} as const;
