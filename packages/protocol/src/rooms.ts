/** The only place that makes or parses the name of a room. */
import * as v from 'valibot';

import {
  type CombatId,
  combatIdSchema,
  type GuildId,
  guildIdSchema,
  isUserId,
  type PartyId,
  partyIdSchema,
  type RealmId,
  type UserId,
  type ZoneId,
  zoneIdSchema,
} from './ids.ts';
import { userIdBytesMax } from './limits.ts';

export const roomKinds = ['user', 'zone', 'combat', 'combat-watch', 'guild', 'party', 'realm'] as const;
export type RoomKind = (typeof roomKinds)[number];

/** A name made by `roomOf`: at most 389 characters of `A-Za-z0-9_.~%#:-`. */
export type RoomName = string & v.Brand<'RoomName'>;

/** What a room name says; `id` of a user room is the user id itself, and that of the realm is empty. */
export interface Room {
  readonly kind: RoomKind;
  readonly id: string;
}

const realmRoom = 'realm' as RoomName;
const neverEscaped = /^[A-Za-z0-9_.~-]+$/;
const escapedLengthMax = userIdBytesMax * 3;

/** Makes room names; throws a RangeError for an id that did not pass its schema. */
export const roomOf = {
  user: (id: UserId): RoomName => `user:${escapeUserId(id)}` as RoomName,
  zone: (id: ZoneId): RoomName => named('zone', id),
  combat: (id: CombatId): RoomName => named('combat', id),
  combatWatch: (id: CombatId): RoomName => named('combat-watch', id),
  guild: (id: GuildId): RoomName => named('guild', id),
  party: (id: PartyId): RoomName => named('party', id),
  /** The pseudo-room in which every socket of the realm is. */
  realm: realmRoom,
} as const;

/** The inverse of `roomOf`: never throws, and answers null for anything that `roomOf` cannot have made, a socket id for instance. */
export function parseRoom(name: string): Room | null {
  if (name === realmRoom) return { kind: 'realm', id: '' };
  if (typeof name !== 'string') return null;
  const colon = name.indexOf(':');
  const kind = name.slice(0, colon);
  const rest = name.slice(colon + 1);
  if (kind === 'user') {
    const id = unescapeUserId(rest);
    return id === null ? null : { kind, id };
  }
  if (!isPlainKind(kind) || !v.is(idSchemaOf[kind], rest)) return null;
  return { kind, id: rest };
}

/** True for a name that `roomOf` can have made. */
export function isRoomName(name: string): name is RoomName {
  return parseRoom(name) !== null;
}

/** The user id in `A-Za-z0-9_.~%-` only, for room and key names: injective, at most 384 characters; throws a RangeError for an id that did not pass its schema. */
export function escapeUserId(id: UserId): string {
  if (!isUserId(id)) throw new RangeError('not a user id');
  return neverEscaped.test(id) ? id : percentEncode(id);
}

/** The inverse of `escapeUserId`; null for anything that it cannot have made. */
export function unescapeUserId(escaped: string): UserId | null {
  if (typeof escaped !== 'string' || escaped.length > escapedLengthMax) return null;
  if (!escaped.includes('%')) return neverEscaped.test(escaped) && isUserId(escaped) ? escaped : null;
  const id = percentDecode(escaped);
  if (id === null || !isUserId(id)) return null;
  return percentEncode(id) === escaped ? id : null;
}

/** The Socket.IO namespace of a realm. */
export function namespaceOf(realm: RealmId): `/realm/${string}` {
  return `/realm/${realm}`;
}

const idSchemaOf = {
  zone: zoneIdSchema,
  combat: combatIdSchema,
  'combat-watch': combatIdSchema,
  guild: guildIdSchema,
  party: partyIdSchema,
} as const;
type PlainKind = keyof typeof idSchemaOf;

function isPlainKind(kind: string): kind is PlainKind {
  return Object.hasOwn(idSchemaOf, kind);
}

function named(kind: PlainKind, id: string): RoomName {
  if (!v.is(idSchemaOf[kind], id)) throw new RangeError(`not the id of a ${kind}`);
  return `${kind}:${id}` as RoomName;
}

function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

function percentDecode(escaped: string): string | null {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return null;
  }
}
