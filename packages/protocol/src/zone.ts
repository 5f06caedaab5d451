/** Zones: entering through a portal, who is there, the tick. */
import * as v from 'valibot';

import { epochMs, integer, listOf, sentence } from './bounds.ts';
import { characterIdSchema, commandIdSchema, zoneIdSchema } from './ids.ts';
import { nameLengthMax, zoneRosterMax, zoneTickCharactersMax } from './limits.ts';
import { characterSeenSchema, coordinate, facingSchema } from './shapes.ts';

const population = integer(0);
const movedSchema = v.tuple([characterIdSchema, coordinate, coordinate, facingSchema]);

export const zoneClientEvents = {
  'zone:enter': {
    payload: v.strictObject({ commandId: commandIdSchema, zoneId: zoneIdSchema }),
    answer: v.object({
      zone: v.object({ id: zoneIdSchema, name: sentence(nameLengthMax), width: coordinate, height: coordinate, population }),
      self: v.object({ x: coordinate, y: coordinate }),
      characters: listOf(characterSeenSchema, zoneRosterMax),
    }),
  },
  'zone:roster': {
    payload: v.strictObject({ zoneId: zoneIdSchema }),
    answer: v.object({ population, characters: listOf(characterSeenSchema, zoneRosterMax) }),
  },
} as const;

export const zoneServerEvents = {
  'zone:tick': {
    schema: v.object({
      zoneId: zoneIdSchema,
      tick: integer(0),
      atMs: epochMs,
      moved: listOf(movedSchema, zoneTickCharactersMax),
      entered: listOf(characterSeenSchema, zoneTickCharactersMax),
      left: listOf(characterIdSchema, zoneTickCharactersMax),
      keyframe: v.boolean(),
    }),
    class: 'state',
  },
} as const;
