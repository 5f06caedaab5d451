import { randomBytes } from 'node:crypto';
import type { RealmId, UserId } from '@skirmish/protocol';
import { Rejection } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { defineScript, keysOf } from '@skirmish/redis';

/** What Redis knows of a user that decides whether a cached reading of the database still holds. */
export interface PlayerChange {
  /** Differs from what it was whenever something has changed; null when nothing has for ten minutes. */
  readonly mark: string | null;
  /** Tokens that were issued before it are void, epoch milliseconds; 0: none were revoked. */
  readonly tokensValidFromMs: number;
}

/** How long a mark is kept, milliseconds. A cache of what the database says about users must forget everything sooner. */
export const changeMemoryMs = 600_000;

/** Users whose mark is set in one call of Redis. */
const batchMax = 500;
const bindingSign = '!';

/** Whether a change must have been read before its user may enter, also while the database is away: a ban, a guild that was left. */
export const isBinding = (mark: string | null): boolean => mark?.startsWith(bindingSign) === true;

/** A binding mark stays one: a fight that begins afterwards must not open the door to a banned user. */
const markScript = defineScript<readonly [mark: string, ttlMs: number, ...changedKeys: string[]], number>({
  name: 'mark-changed',
  lua: `
for i = 3, #ARGV do
  local before = redis.call('GET', ARGV[i])
  local sign = before and string.sub(before, 1, 1) == '${bindingSign}' and '${bindingSign}' or ''
  redis.call('SET', ARGV[i], sign .. ARGV[1], 'PX', ARGV[2])
end
return #ARGV - 2`,
  reply: Number,
});

/** Never back: of two revocations the later one counts, in whatever order they arrive. */
const revokeScript = defineScript<readonly [revokedKey: string, beforeMs: number, ttlMs: number], number>({
  name: 'revoke-tokens',
  lua: `
local held = tonumber(redis.call('GET', ARGV[1]) or '0')
if held < tonumber(ARGV[2]) then redis.call('SET', ARGV[1], ARGV[2], 'PX', ARGV[3]) end
return math.max(held, tonumber(ARGV[2]))`,
  reply: Number,
});

/**
 * Tells all gateways of a realm that what the database says about users has changed, so that none of them believes an earlier reading.
 *
 * The order makes it safe: first the commit in the database, then the mark; a reader takes the mark first, then reads. So whoever
 * holds the newest mark has read everything that was committed before it. Errors are Rejections `server/unavailable`: repeat the call.
 *
 * @example
 * await storeSanction(database, ban);
 * await changes.mark([userId], { binding: true });
 */
export class PlayerChanges {
  readonly #redis: Redis;
  readonly #keys: RealmKeys;

  constructor(redis: Redis, realm: RealmId) {
    this.#redis = redis;
    this.#keys = keysOf(realm);
  }

  /** One command. */
  async of(userId: UserId): Promise<PlayerChange> {
    const [mark = null, revoked] = await asked(this.#redis.mget(this.#keys.changed(userId), this.#keys.revoked(userId)));
    return { mark, tokensValidFromMs: Number(revoked ?? 0) };
  }

  /** `binding`: nobody may enter on an older reading, also while the database is away. */
  async mark(userIds: readonly UserId[], { binding = false }: { readonly binding?: boolean } = {}): Promise<void> {
    for (let from = 0; from < userIds.length; from += batchMax) {
      const keys = userIds.slice(from, from + batchMax).map((userId) => this.#keys.changed(userId));
      const mark = `${binding ? bindingSign : ''}${randomBytes(9).toString('base64url')}`;
      await asked(markScript.run(this.#redis, [this.#keys.clock], [mark, changeMemoryMs, ...keys]));
    }
  }

  /** Makes the tokens void that were issued before the instant, for as long as one of them could still be good. */
  async revoke(userId: UserId, beforeMs: number, forMs: number): Promise<void> {
    await asked(revokeScript.run(this.#redis, [this.#keys.clock], [this.#keys.revoked(userId), beforeMs, forMs]));
  }
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw new Rejection('server/unavailable', { cause });
  }
}
