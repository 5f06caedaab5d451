/** Characters: movement, status, emotes. */
import * as v from 'valibot';

import { integer } from './bounds.ts';
import { characterIdSchema, commandIdSchema } from './ids.ts';
import { refusalCodes } from './refusals.ts';
import { characterStatusSchema, coordinate, facingSchema, nothing } from './shapes.ts';

export const emotes = ['wave', 'bow', 'cheer', 'clap', 'cry', 'dance', 'laugh', 'point', 'salute', 'shrug', 'sit', 'sleep'] as const;
export type Emote = (typeof emotes)[number];
const emoteSchema = v.picklist(emotes);

const moveSeq = integer(0);

export const characterClientEvents = {
  'character:move': {
    payload: v.strictObject({ seq: moveSeq, x: coordinate, y: coordinate, facing: v.exactOptional(facingSchema) }),
    answer: nothing,
  },
  'character:status': { payload: v.strictObject({ commandId: commandIdSchema, status: characterStatusSchema }), answer: nothing },
  'character:emote': { payload: v.strictObject({ emote: emoteSchema }), answer: nothing },
} as const;

export const characterServerEvents = {
  'character:corrected': {
    schema: v.object({ seq: moveSeq, x: coordinate, y: coordinate, code: v.picklist(refusalCodes) }),
    class: 'direct',
  },
  'character:emoted': { schema: v.object({ characterId: characterIdSchema, emote: emoteSchema }), class: 'ephemeral' },
  'character:status-changed': { schema: v.object({ characterId: characterIdSchema, status: characterStatusSchema }), class: 'critical' },
} as const;
