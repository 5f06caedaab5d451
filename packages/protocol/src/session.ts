/** The session: greeting, renewal of the token, notices about the connection itself. */
import * as v from 'valibot';

import { refusalSchema } from './acknowledgement.ts';
import { epochMs, finite, integer, listOf, sentence, token } from './bounds.ts';
import { characterIdSchema, combatIdSchema, guildIdSchema, realmIdSchema, userIdSchema, zoneIdSchema } from './ids.ts';
import { combatantsMax, messageLengthMax, roomsOfSocketMax, tokenLengthMax } from './limits.ts';
import { partySchema } from './party.ts';
import { refusalCodes } from './refusals.ts';
import { isRoomName } from './rooms.ts';

/** Why a client has to load its state anew; more may come, a client treats unknown ones alike. */
export const reloadReasons = ['not-recoverable', 'window-passed', 'too-much-missed', 'data-lost'] as const;

const roomNameSchema = v.pipe(v.string(), v.maxLength(400), v.guard(isRoomName));

export const sessionClientEvents = {
  'session:refresh': {
    payload: v.strictObject({ token: v.pipe(v.string(), v.minLength(1), v.maxLength(tokenLengthMax)) }),
    answer: v.object({ tokenExpiresAtMs: epochMs }),
  },
  'session:ping': {
    payload: v.strictObject({ atMs: finite() }),
    answer: v.object({ atMs: finite(), serverTimeMs: epochMs }),
  },
} as const;

export const sessionServerEvents = {
  'session:welcome': {
    schema: v.object({
      protocol: integer(1),
      userId: userIdSchema,
      characterId: v.nullable(characterIdSchema),
      realm: realmIdSchema,
      recovered: v.boolean(),
      serverTimeMs: epochMs,
      tokenExpiresAtMs: epochMs,
      rooms: listOf(roomNameSchema, roomsOfSocketMax),
      zone: v.nullable(v.looseObject({ id: zoneIdSchema })),
      party: v.nullable(partySchema),
      guild: v.nullable(v.looseObject({ id: guildIdSchema })),
      combats: listOf(combatIdSchema, combatantsMax),
    }),
    class: 'direct',
  },
  'session:reload': { schema: v.object({ reason: token(40, /^[a-z0-9-]+$/) }), class: 'direct' },
  'session:position': { schema: v.object({ atMs: epochMs }), class: 'direct' },
  'session:expiring': { schema: v.object({ expiresAtMs: epochMs }), class: 'direct' },
  'session:draining': { schema: v.object({ reconnectInMs: integer(0) }), class: 'direct' },
  'session:closed': { schema: v.object({ code: v.picklist(refusalCodes), message: sentence(messageLengthMax) }), class: 'direct' },
  'session:refused': { schema: v.object({ event: v.pipe(v.string(), v.maxLength(64)), error: refusalSchema }), class: 'direct' },
} as const;
