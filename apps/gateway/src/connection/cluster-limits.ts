import type { PlayerChange } from '@skirmish/emitter';
import { type ClientEventName, type Rate, type RealmId, Rejection, type UserId } from '@skirmish/protocol';
import { defineScript, keysOf, luaGcra, luaNowUs, type Redis, type RealmKeys } from '@skirmish/redis';
import { featureOf } from '../limits/ladder.ts';
import type { Mutes } from '../limits/mutes.ts';
import type { RateLimit, TokenBuckets } from './token-buckets.ts';

export interface ClusterLimitsOptions {
  readonly realm: RealmId;
  /** The connection for commands, with a breaker. */
  readonly redis: Redis;
  /** Asked first: what is too much for one gateway is too much for all. */
  readonly buckets: TokenBuckets;
  readonly mutes: Mutes;
  /** `RATE_LIMIT_SCALE`. */
  readonly scale: number;
  readonly connectsPerSecond: number;
  /** Told when an event went on uncounted, because Redis is away. */
  readonly onUncounted: (event: ClientEventName) => void;
}

/** Connects may be saved up for so long, seconds: a user's five devices come back together after a restart, and again. */
const connectBurstSeconds = 6;

/** What the cluster says of one event: 0 and 0 when it may go on. */
export interface Verdict {
  readonly retryAfterMs: number;
  readonly mutedMs: number;
}

const takeEvent = defineScript<readonly [intervalUs: number, burst: number, feature: string], Verdict>({
  name: 'take-event',
  lua: `${luaGcra}${luaNowUs}
local mutedMs = (tonumber(redis.call('HGET', KEYS[2], ARGV[3]) or '') or 0) - nowUs / 1000
if mutedMs > 0 then return {0, math.ceil(mutedMs)} end
return {gcra(KEYS[1], nowUs, tonumber(ARGV[1]), tonumber(ARGV[2])), 0}`,
  reply: (raw) => {
    const [retryAfterMs = 0, mutedMs = 0] = (raw as unknown[]).map(Number);
    return { retryAfterMs, mutedMs };
  },
});

interface Admission {
  readonly retryAfterMs: number;
  readonly change: PlayerChange;
  /** Features and what is left of their mutes, milliseconds. */
  readonly mutes: readonly (readonly [feature: string, leftMs: number])[];
}

const takeConnect = defineScript<readonly [intervalUs: number, burst: number], Admission>({
  name: 'take-connect',
  lua: `${luaGcra}${luaNowUs}
local answer = {gcra(KEYS[1], nowUs, tonumber(ARGV[1]), tonumber(ARGV[2]))}
if answer[1] > 0 then return answer end
answer[2], answer[3] = redis.call('GET', KEYS[3]) or '', redis.call('GET', KEYS[4]) or '0'
local mutes = redis.call('HGETALL', KEYS[2])
for i = 1, #mutes, 2 do
  answer[#answer + 1] = mutes[i]
  answer[#answer + 1] = math.max(0, math.ceil(tonumber(mutes[i + 1]) - nowUs / 1000))
end
return answer`,
  reply: (raw) => {
    const [retryAfterMs, mark = '', tokensValidFromMs, ...pairs] = raw as (string | number)[];
    const mutes = pairs.flatMap((feature, index) => (index % 2 === 0 ? [[String(feature), Number(pairs[index + 1])] as const] : []));
    const change = { mark: mark === '' ? null : String(mark), tokensValidFromMs: Number(tokensValidFromMs ?? 0) };
    return { retryAfterMs: Number(retryAfterMs), change, mutes };
  },
});

const setMute = defineScript<readonly [feature: string, forMs: number], undefined>({
  name: 'set-mute',
  lua: `${luaNowUs}
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', math.floor(nowUs / 1000) + tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2])))`,
  reply: () => undefined,
});

/**
 * Limits of users over all gateways of a realm, one call of Redis each, by its clock. No key outlives its limit.
 *
 * Open for play: while Redis is away an event goes on, and what really needs Redis refuses it later. Closed for admission: a connect is asked to
 * come again.
 */
export class ClusterLimits {
  readonly #options: ClusterLimitsOptions;
  readonly #keys: RealmKeys;
  readonly #connects: RateLimit;

  constructor(options: ClusterLimitsOptions) {
    this.#options = options;
    this.#keys = keysOf(options.realm);
    this.#connects = { ratePerSecond: options.connectsPerSecond, burst: options.connectsPerSecond * connectBurstSeconds };
  }

  /**
   * Counts one connect of a user, learns its mutes, and answers what has changed about the user, all in one call.
   * @throws Rejection `rate/limited` with the time to wait, `server/unavailable`
   */
  async admit(userId: UserId): Promise<PlayerChange> {
    const { redis, buckets, mutes } = this.#options;
    const retryAfterMs = buckets.take(userId, 'connect', this.#connects, Date.now());
    if (retryAfterMs > 0) throw new Rejection('rate/limited', { retryAfterMs });
    const keys = [this.#keys.limitOf(userId, 'connect'), this.#keys.mutes(userId), this.#keys.changed(userId), this.#keys.revoked(userId)];
    const admission = await takeConnect.run(redis, keys, this.#scaled(this.#connects)).catch((cause: unknown) => {
      throw new Rejection('server/unavailable', { cause });
    });
    if (admission.retryAfterMs > 0) throw new Rejection('rate/limited', { retryAfterMs: admission.retryAfterMs });
    for (const [feature, leftMs] of admission.mutes) if (leftMs > 0) mutes.set(userId, feature, Date.now() + leftMs);
    return admission.change;
  }

  /** Counts one event that this gateway's own bucket has passed. Never rejects. */
  async take(userId: UserId, event: ClientEventName, rate: Rate): Promise<Verdict> {
    const { redis, mutes, onUncounted } = this.#options;
    const feature = featureOf(event);
    try {
      const verdict = await takeEvent.run(redis, [this.#keys.limitOf(userId, rate.bucket), this.#keys.mutes(userId)], [...this.#scaled(rate), feature]);
      if (verdict.mutedMs > 0) mutes.set(userId, feature, Date.now() + verdict.mutedMs);
      return verdict;
    } catch {
      onUncounted(event);
      return { retryAfterMs: 0, mutedMs: 0 };
    }
  }

  /** Lets all gateways know a mute. Rejects while Redis is away; then they learn it from Postgres with the user's next strike there. */
  async mute(userId: UserId, feature: string, forMs: number): Promise<void> {
    await setMute.run(this.#options.redis, [this.#keys.mutes(userId)], [feature, forMs]);
  }

  #scaled({ ratePerSecond, burst }: RateLimit): readonly [intervalUs: number, burst: number] {
    const { scale } = this.#options;
    return [1_000_000 / (ratePerSecond * scale), Math.max(1, burst * scale)];
  }
}
