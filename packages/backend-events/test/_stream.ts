import type { BackendRecord, RealmId, UserId } from '@skirmish/protocol';
import { createRedis, keysOf, type RealmKeys, type Redis, whenReady } from '@skirmish/redis';
import { services, uniqueRealm } from '@skirmish/testing';
import type { BackendEvent } from '../src/index.ts';

/** A realm of its own and what its stream holds. */
export interface TestStream extends Disposable {
  readonly realm: RealmId;
  readonly keys: RealmKeys;
  readonly redis: Redis;
  records(): Promise<BackendRecord[]>;
}

export async function createTestStream(redisUrl = services().redisUrl): Promise<TestStream> {
  const realm = uniqueRealm() as RealmId;
  const keys = keysOf(realm);
  const redis = createRedis({ url: redisUrl, name: 'backend-events-test', role: 'command', commandTimeoutMs: 1_000 });
  await whenReady(redis);
  return {
    realm,
    keys,
    redis,
    records: async () => (await redis.xrange(keys.backendEvents, '-', '+')).map(([, fields]) => JSON.parse(fields[fields.indexOf('record') + 1] ?? '') as BackendRecord),
    [Symbol.dispose]: () => { redis.disconnect(); },
  };
}

/** One event among many. */
export const eventOf = (n: number | string): BackendEvent<'sanction.set'> => ({
  type: 'sanction.set',
  id: `sanction-${n}`,
  data: { userId: `p${n}` as UserId, kind: 'warned', reason: `number ${n}` },
});
