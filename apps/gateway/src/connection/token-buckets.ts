/** How often something may happen: a steady rate and how much of it may be saved up. */
export interface RateLimit {
  readonly ratePerSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  refilledAtMs: number;
  /** When it is as good as one that was never used. */
  fullAtMs: number;
}

interface UserBuckets {
  readonly buckets: Map<string, Bucket>;
  usedAtMs: number;
}

/** Bounds of what the limiter remembers. */
export const tokenBucketLimits = { usersMax: 50_000, bucketsPerUserMax: 128, forgetAfterMs: 120_000 } as const;

/**
 * Token buckets per user and name, in the memory of this process: a user's sockets here share them.
 *
 * `take` answers 0 when the call may go on, else the milliseconds until the next one may. Users who were idle for two
 * minutes are forgotten by `sweep`, when every bucket has long been full again.
 */
export class TokenBuckets {
  readonly #scale: number;
  readonly #users = new Map<string, UserBuckets>();

  constructor(scale: number) {
    this.#scale = scale;
  }

  get userCount(): number {
    return this.#users.size;
  }

  take(userId: string, name: string, limit: RateLimit, nowMs: number): number {
    const user = this.#userOf(userId, nowMs);
    const ratePerMs = (limit.ratePerSecond * this.#scale) / 1000;
    const capacity = Math.max(1, limit.burst * this.#scale);
    const bucket = bucketOf(user, name, capacity, nowMs);
    bucket.tokens = Math.min(capacity, bucket.tokens + Math.max(0, nowMs - bucket.refilledAtMs) * ratePerMs);
    bucket.refilledAtMs = nowMs;
    const passes = bucket.tokens >= 1;
    if (passes) bucket.tokens -= 1;
    bucket.fullAtMs = nowMs + (capacity - bucket.tokens) / ratePerMs;
    if (passes) return 0;
    return Math.max(1, Math.ceil((1 - bucket.tokens) / ratePerMs));
  }

  /** Forgets users who did nothing for `forgetAfterMs`; call it now and then. */
  sweep(nowMs: number): void {
    for (const [userId, user] of this.#users) {
      if (nowMs - user.usedAtMs > tokenBucketLimits.forgetAfterMs) this.#users.delete(userId);
    }
  }

  #userOf(userId: string, nowMs: number): UserBuckets {
    let user = this.#users.get(userId);
    if (!user) {
      if (this.#users.size >= tokenBucketLimits.usersMax) deleteOldest(this.#users);
      user = { buckets: new Map(), usedAtMs: nowMs };
      this.#users.set(userId, user);
    }
    user.usedAtMs = nowMs;
    return user;
  }
}

function bucketOf(user: UserBuckets, name: string, capacity: number, nowMs: number): Bucket {
  let bucket = user.buckets.get(name);
  if (!bucket) {
    // Names may contain a channel that the client chose, so their number needs a bound too.
    if (user.buckets.size >= tokenBucketLimits.bucketsPerUserMax) deleteFullest(user.buckets, nowMs);
    bucket = { tokens: capacity, refilledAtMs: nowMs, fullAtMs: nowMs };
    user.buckets.set(name, bucket);
  }
  return bucket;
}

function deleteOldest(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}

/** One that is full again, else the one that is so first: whoever makes up names gets nothing back. */
function deleteFullest(buckets: Map<string, Bucket>, nowMs: number): void {
  let fullest: string | undefined;
  let fullAtMs = Infinity;
  for (const [name, bucket] of buckets) {
    if (bucket.fullAtMs >= fullAtMs) continue;
    fullest = name;
    ({ fullAtMs } = bucket);
    if (fullAtMs <= nowMs) break;
  }
  if (fullest !== undefined) buckets.delete(fullest);
}
