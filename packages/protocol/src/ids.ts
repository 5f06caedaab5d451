/** Identifiers as branded strings: a string from outside becomes one of them only by passing its schema. */
import * as v from 'valibot';

import { token } from './bounds.ts';
import { idLengthMax, userIdBytesMax } from './limits.ts';

const ownId = /^[A-Za-z0-9_#-]+$/;
const urlSafeId = /^[A-Za-z0-9_-]+$/;
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Everything but controls, invisible format characters, lone surrogates and line separators; joiners stay, since names and emoji need them. */
const printable = /^(?:[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[\u200c\u200d])+$/u;

/** A user id of a studio's issuer: 1 to 128 UTF-8 bytes of anything printable, compared byte for byte. */
export const userIdSchema = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(userIdBytesMax),
  v.maxBytes(userIdBytesMax),
  v.regex(printable),
  v.brand('UserId'),
);
export type UserId = v.InferOutput<typeof userIdSchema>;

/** True for a user id as `userIdSchema` takes it. */
export function isUserId(value: unknown): value is UserId {
  return v.is(userIdSchema, value);
}

/** A character of a user: 1 to 64 of `A-Za-z0-9_#-`. */
export const characterIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('CharacterId'));
export type CharacterId = v.InferOutput<typeof characterIdSchema>;

/** A zone, or an instance of one: 1 to 64 of `A-Za-z0-9_#-`. */
export const zoneIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('ZoneId'));
export type ZoneId = v.InferOutput<typeof zoneIdSchema>;

/** A fight: 1 to 64 of `A-Za-z0-9_#-`. */
export const combatIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('CombatId'));
export type CombatId = v.InferOutput<typeof combatIdSchema>;

/** A guild: 1 to 64 of `A-Za-z0-9_#-`. */
export const guildIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('GuildId'));
export type GuildId = v.InferOutput<typeof guildIdSchema>;

/** A party: 1 to 64 of `A-Za-z0-9_#-`. */
export const partyIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('PartyId'));
export type PartyId = v.InferOutput<typeof partyIdSchema>;

/** A realm: 1 to 64 of `A-Za-z0-9_-`; no `#`, because the id stands in a URL path and a Redis hash tag. */
export const realmIdSchema = v.pipe(token(idLengthMax, urlSafeId), v.brand('RealmId'));
export type RealmId = v.InferOutput<typeof realmIdSchema>;

/** A chat message: a UUID of version 7 in lower case, so that ids sort by time. */
export const messageIdSchema = v.pipe(token(36, uuidV7), v.brand('MessageId'));
export type MessageId = v.InferOutput<typeof messageIdSchema>;

/** A command as its client names it: 1 to 64 of `A-Za-z0-9_-`, unique per user and event. */
export const commandIdSchema = v.pipe(token(idLengthMax, urlSafeId), v.brand('CommandId'));
export type CommandId = v.InferOutput<typeof commandIdSchema>;

/** One life of one gateway process: 1 to 64 of `A-Za-z0-9_-`. */
export const incarnationIdSchema = v.pipe(token(idLengthMax, urlSafeId), v.brand('IncarnationId'));
export type IncarnationId = v.InferOutput<typeof incarnationIdSchema>;

/** A meeting that the world offers, such as `training-dummy`: 1 to 64 of `A-Za-z0-9_#-`. */
export const encounterIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('EncounterId'));
export type EncounterId = v.InferOutput<typeof encounterIdSchema>;

/** An ability of the rules of combat: 1 to 64 of `A-Za-z0-9_#-`. */
export const abilityIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('AbilityId'));
export type AbilityId = v.InferOutput<typeof abilityIdSchema>;

/** A report of a chat message: 1 to 64 of `A-Za-z0-9_#-`. */
export const reportIdSchema = v.pipe(token(idLengthMax, ownId), v.brand('ReportId'));
export type ReportId = v.InferOutput<typeof reportIdSchema>;
