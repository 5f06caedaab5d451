/** Shapes that several features speak of. */
import * as v from 'valibot';

import { finite, sentence } from './bounds.ts';
import { characterIdSchema, userIdSchema } from './ids.ts';
import { facingRadiansMax, nameLengthMax } from './limits.ts';

/** The data of an acknowledgement that has nothing to say. */
export const nothing = v.object({});

export const characterStatuses = ['online', 'away', 'busy'] as const;
export const characterStatusSchema = v.picklist(characterStatuses);
export type CharacterStatus = (typeof characterStatuses)[number];

/** World units of a zone; whether they lie within it is the gateway's decision. */
export const coordinate = finite();
/** Radians. */
export const facingSchema = finite(facingRadiansMax);

/** A character as those in its area see it. */
export const characterSeenSchema = v.object({
  characterId: characterIdSchema,
  userId: userIdSchema,
  name: sentence(nameLengthMax),
  x: coordinate,
  y: coordinate,
  facing: facingSchema,
  status: characterStatusSchema,
});
export type CharacterSeen = v.InferOutput<typeof characterSeenSchema>;

/** Another user, by id and by the name that is shown. */
export const personSchema = v.object({ userId: userIdSchema, name: sentence(nameLengthMax) });
export type Person = v.InferOutput<typeof personSchema>;
