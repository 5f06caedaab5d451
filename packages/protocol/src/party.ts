/** Parties: founding, invitations, membership, data between members. */
import * as v from 'valibot';

import { binary } from './binary.ts';
import { listOf, sentence, token } from './bounds.ts';
import { commandIdSchema, partyIdSchema, userIdSchema } from './ids.ts';
import { nameLengthMax, partyDataBytesMax, partyDataKindLengthMax, partyMembersMax } from './limits.ts';
import { nothing, personSchema } from './shapes.ts';

export const partySchema = v.object({
  id: partyIdSchema,
  leaderId: userIdSchema,
  members: listOf(v.object({ userId: userIdSchema, name: sentence(nameLengthMax), online: v.boolean() }), partyMembersMax),
});
export type Party = v.InferOutput<typeof partySchema>;

const dataKind = token(partyDataKindLengthMax, /^[A-Za-z0-9_.:-]+$/);
const withParty = v.object({ party: partySchema });
const ofLeader = { payload: v.strictObject({ commandId: commandIdSchema, userId: userIdSchema }), answer: withParty } as const;
const answerToInvitation = v.strictObject({ commandId: commandIdSchema, partyId: partyIdSchema });

export const partyClientEvents = {
  'party:create': { payload: v.strictObject({ commandId: commandIdSchema }), answer: withParty },
  'party:invite': ofLeader,
  'party:kick': ofLeader,
  'party:promote': ofLeader,
  'party:accept': { payload: answerToInvitation, answer: withParty },
  'party:decline': { payload: answerToInvitation, answer: nothing },
  'party:leave': { payload: v.strictObject({ commandId: commandIdSchema }), answer: nothing },
  'party:data': { payload: v.strictObject({ kind: dataKind, bytes: binary(partyDataBytesMax) }), answer: nothing },
} as const;

export const partyServerEvents = {
  'party:invited': { schema: v.object({ party: partySchema, from: personSchema }), class: 'critical' },
  'party:updated': { schema: withParty, class: 'critical' },
  'party:disbanded': { schema: v.object({ partyId: partyIdSchema }), class: 'critical' },
  'party:data': { schema: v.object({ from: userIdSchema, kind: dataKind, bytes: binary(partyDataBytesMax) }), class: 'ephemeral' },
} as const;
