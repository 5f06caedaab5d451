import { parseRoom, presenceSchema, type Presence, type RoomName, type UserId, unescapeUserId } from '@skirmish/protocol';
import * as v from 'valibot';

/** Where a user is, and how: what others may know of it depends on the rooms that they share with it. */
export interface Whereabout {
  readonly rooms: readonly RoomName[];
  readonly status: Presence['status'];
}

/** What one gateway told all of them about a user whose grace was over. */
export interface Announced {
  readonly userId: UserId;
  /** Null for one who is gone. */
  readonly presence: Whereabout | null;
  /** Guilds that see the user come as a member who is online, and those that see it go. */
  readonly came: readonly RoomName[];
  readonly left: readonly RoomName[];
}

/** Users in one announcement. */
export const announcedMax = 100;

/** Much more than the longest list of rooms that the limits of a socket allow. */
const roomsLengthMax = 20_000;
const rooms = v.pipe(v.string(), v.maxLength(roomsLengthMax), v.transform(roomsIn));
const userId = v.pipe(
  v.string(),
  v.transform((escaped) => unescapeUserId(escaped)),
  v.custom<UserId>((id) => id !== null),
);
const statusSchema = presenceSchema.entries.status;
/** One that a later version gave counts as not there, as in an answer; the other users of the message are told of. */
const announcedStatus = v.fallback(statusSchema, 'offline');

const messageSchema = v.object({
  v: v.literal(1),
  kind: v.literal('presence'),
  users: v.pipe(v.array(v.tuple([userId, announcedStatus, rooms, rooms, rooms])), v.maxLength(announcedMax)),
});

/** Whether a message of the realm's channel is about presence, readable or not. */
export const isPresence = (body: unknown): boolean => typeof body === 'object' && body !== null && 'kind' in body && body.kind === 'presence';

/** Reads an announcement; null for anything else, never throws. */
export function parseAnnouncement(body: unknown): Announced[] | null {
  const result = v.safeParse(messageSchema, body, { abortEarly: true });
  if (!result.success) return null;
  return result.output.users.map(([user, status, at, came, left]) => ({ userId: user, presence: status === 'offline' ? null : { rooms: at, status }, came, left }));
}

/** Reads one answer about a user's whereabouts; one that this version does not know counts as not there. */
export function parseWhereabout(found: readonly [rooms: string, status: string] | null): Whereabout | null {
  const status = v.safeParse(statusSchema, found?.[1]);
  return found && status.success ? { rooms: roomsIn(found[0]), status: status.output } : null;
}

function roomsIn(text: string): RoomName[] {
  return text.split(' ').filter((name): name is RoomName => parseRoom(name) !== null);
}
