import type { CharacterId, RoomName, UserId } from '@skirmish/protocol';
import { parseRoom, Rejection } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';

export interface RoomMember {
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
}

export interface RoomMembersPage {
  /** Each once on this page; a member with several sockets, or who comes while one reads, may be on another page too. */
  readonly members: readonly RoomMember[];
  /** Ask for the next page with it; null: that was the last one. */
  readonly cursor: string | null;
}

/** Members per look-up, about: Redis decides. */
const pageSize = 200;
const cursorForm = /^\d{1,20}$/;
/** Beyond it a number is no cursor to Redis. */
const cursorMax = 2n ** 64n - 1n;

/** One page of the members of a room, in one look-up. Throws `room/not-found` for what is no room, `payload/invalid` for what is no cursor. */
export async function readRoomMembers(redis: Redis, keys: RealmKeys, room: string, cursor: string | null): Promise<RoomMembersPage> {
  const parsed = parseRoom(room);
  if (!parsed) throw new Rejection('room/not-found');
  if (cursor !== null && !(cursorForm.test(cursor) && BigInt(cursor) <= cursorMax)) throw new Rejection('payload/invalid', { path: 'cursor' });
  if (parsed.kind === 'user') return membersOfUserRoom(redis, keys, parsed.id as UserId);
  const [next, flat] = await redis.hscan(keys.members(room as RoomName), cursor ?? '0', 'COUNT', pageSize);
  const members = new Map<string, RoomMember>();
  for (let i = 1; i < flat.length; i += 2) {
    const member = parseMember(flat[i] ?? '');
    if (member) members.set(`${member.characterId ?? ''} ${member.userId}`, member);
  }
  return { members: [...members.values()], cursor: next === '0' ? null : next };
}

/** The room of a user has one member or none. */
async function membersOfUserRoom(redis: Redis, keys: RealmKeys, userId: UserId): Promise<RoomMembersPage> {
  const online = (await redis.exists(keys.user(userId))) === 1;
  return { members: online ? [{ userId, characterId: null }] : [], cursor: null };
}

/** Reads a record of `members:<room>`; null when it is damaged. */
function parseMember(record: string): RoomMember | null {
  try {
    const { userId, characterId } = JSON.parse(record) as { userId?: unknown; characterId?: unknown };
    if (typeof userId !== 'string') return null;
    return { userId: userId as UserId, characterId: typeof characterId === 'string' && characterId !== '' ? (characterId as CharacterId) : null };
  } catch {
    return null;
  }
}
