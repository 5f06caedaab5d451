import { escapeUserId, presenceUserIdsMax, Rejection, type UserId } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { parseWhereabout, type Whereabout } from './announcement.ts';
import { askPresenceScript } from './presence-scripts.ts';

/**
 * Where users are, null for those who are not there; at most 100 in one call of Redis. Not filtered: what somebody may know of it is for `seenBy`
 * to say. Throws `server/unavailable` while Redis is away.
 */
export async function askPresence(redis: Redis, keys: RealmKeys, userIds: readonly UserId[]): Promise<Map<UserId, Whereabout | null>> {
  if (userIds.length > presenceUserIdsMax) throw new RangeError('too many users for one question');
  if (userIds.length === 0) return new Map();
  try {
    const found = await askPresenceScript.run(redis, [keys.clock], [keys.prefix, ...userIds.map((userId) => escapeUserId(userId))]);
    return new Map(userIds.map((userId, i) => [userId, parseWhereabout(found[i] ?? null)]));
  } catch (cause) {
    throw new Rejection('server/unavailable', { cause });
  }
}
