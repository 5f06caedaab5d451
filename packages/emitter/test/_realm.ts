import type { IncarnationId, RealmId, RoomName } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { services, uniqueRealm } from '@skirmish/testing';

/** A realm of its own with hand-made incarnations, as the gateways' registration leaves them. */
export interface TestRealm {
  realm: RealmId;
  keys: RealmKeys;
  redis: Redis;
  /** Registers an incarnation that has members in the rooms. */
  enter(incarnation: string, rooms: RoomName[]): Promise<void>;
  inbox(incarnation: string): Promise<{ id: string; data: unknown; type: string }[]>;
  log(room: RoomName): Promise<string[]>;
  close(): void;
}

export async function createTestRealm(epochStartMs = 1000): Promise<TestRealm> {
  const realm = uniqueRealm() as RealmId;
  const keys = keysOf(realm);
  const redis = createRedis({ url: services().redisUrl, name: 'emitter-test', role: 'command' });
  await whenReady(redis);
  if (epochStartMs > 0) await redis.set(keys.epoch, `test ${epochStartMs}`);
  return {
    realm,
    keys,
    redis,
    enter: async (incarnation, rooms) => {
      const id = incarnation as IncarnationId;
      await redis.hset(keys.gateways, incarnation, '{"v":1,"renewals":0}');
      await redis.xadd(keys.inbox(id), '0-1', 'v', '1', 'type', '0');
      for (const room of rooms) {
        await redis.sadd(keys.room(room), incarnation);
        await redis.sadd(keys.roomsOf(id), room);
      }
    },
    inbox: async (incarnation) => {
      const entries = await redis.xrange(keys.inbox(incarnation as IncarnationId), '-', '+');
      return entries
        .map(([id, fields]) => ({ id, type: fields[fields.indexOf('type') + 1] ?? '', data: parse(fields[fields.indexOf('data') + 1]) }))
        .filter(({ type }) => type !== '0');
    },
    log: async (room) => (await redis.xrange(keys.log(room), '-', '+')).map(([id]) => id),
    close: () => {
      redis.disconnect();
    },
  };
}

function parse(text: string | undefined): unknown {
  return text?.startsWith('{') ? JSON.parse(text) : null;
}
