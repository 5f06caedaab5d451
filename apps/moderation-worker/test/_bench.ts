import { randomBytes, randomUUID } from 'node:crypto';
import { createDatabase, type Database, migrate } from '@skirmish/database';
import type { Channel, IncarnationId, MessageId, RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { createLaneProducer, type LaneProducer, payloadHash } from '@skirmish/queue';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { createTestDatabase, eventually, type ManagedProcess, services, startProcess, uniqueRealm } from '@skirmish/testing';
import { config, createModerationWorker, type ModerationWorker, type ModerationWorkerOverrides } from '../src/index.ts';

export interface Told {
  readonly rooms: string[];
  readonly event: string;
  readonly payload: Record<string, unknown>;
}

export interface Sending {
  readonly from?: string;
  readonly name?: string;
  readonly channel?: Channel;
  readonly text: string;
  readonly commandId?: string;
  readonly messageId?: MessageId;
  readonly sentAtMs?: number;
}

/** Everything that a moderation worker needs, and an inbox that hears what it tells. */
export interface Bench extends AsyncDisposable {
  readonly realm: RealmId;
  readonly database: Database;
  readonly redis: Redis;
  readonly env: Record<string, string>;
  /** As a gateway does; answers the id of the message. */
  send(sending: Sending): Promise<MessageId>;
  told(): Promise<Told[]>;
  /** Waits until so many emissions were heard, and answers them. */
  toldOf(count: number): Promise<Told[]>;
  idle(): Promise<void>;
  work(env?: Record<string, string>, overrides?: ModerationWorkerOverrides): Promise<ModerationWorker>;
  /** A worker process that dies when it reaches a place for the first time. */
  fragile(place: string): Promise<ManagedProcess>;
}

export const meadow: Channel = { kind: 'zone', id: 'meadow' as ZoneId };

export function newMessageId(): MessageId {
  const hex = Date.now().toString(16).padStart(12, '0') + randomBytes(10).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}` as MessageId;
}

export interface World extends AsyncDisposable {
  readonly url: string;
}

export async function createWorld(): Promise<World> {
  const postgres = await createTestDatabase();
  await using database = createDatabase({ url: postgres.url, poolMax: 1 });
  await migrate(database);
  return postgres;
}

/** A realm of its own in a world. */
export async function createBench(world: World): Promise<Bench> {
  const realm = uniqueRealm() as RealmId;
  const { redisUrl } = services();
  const database = createDatabase({ url: world.url, poolMax: 2 });
  const redis = createRedis({ url: redisUrl, name: 'bench', role: 'queue' });
  await whenReady(redis);
  const keys = keysOf(realm);
  await redis.set(keys.epoch, 'bench 0');
  await redis.xadd(keys.inbox(listener), '0-1', 'v', '1', 'type', 'none', 'data', '{}');
  await redis.sadd(keys.incomplete, listener);
  const lanes = createLaneProducer({ redis, realm, queue: 'chat' });
  const env = { ...environment, REALMS: realm, REDIS_URL: redisUrl, DATABASE_URL: world.url };
  const told = () => readInbox(redis, realm);
  return {
    realm,
    database,
    redis,
    env,
    send: (sending) => send(lanes, sending),
    told,
    toldOf: (count) =>
      eventually(
        async () => {
          const entries = await told();
          if (entries.length < count) throw new Error(`${entries.length} emissions`);
          return entries;
        },
        { timeoutMs: 15_000, what: `${count} emissions` },
      ),
    idle: async () => {
      await eventually(async () => (await redis.keys(`{${realm}}:lane:chat:*`)).length === 0, { timeoutMs: 20_000, what: 'empty lanes' });
    },
    work: (more = {}, overrides = {}) => createModerationWorker(config.parse({ ...env, ...more }), overrides),
    fragile: (place) => startProcess({ name: 'fragile worker', entry: new URL('_fragile-main.ts', import.meta.url), env: { ...env, FAIL_AT: place } }),
    [Symbol.asyncDispose]: async () => {
      await lanes.close();
      redis.disconnect();
      await database.close();
    },
  };
}

const listener = 'listener' as IncarnationId;
const environment = { NODE_ENV: 'test', LOG_LEVEL: 'warn', INTERNAL_PORT: '0', DATABASE_POOL_MAX: '4', LANE_LOCK_MS: '500', EPOCH_GRACE_MS: '100' };

async function send(lanes: LaneProducer<'chat'>, sending: Sending): Promise<MessageId> {
  const { from = 'p1', name = `Player ${from}`, channel = meadow, text, commandId = randomUUID(), messageId = newMessageId(), sentAtMs = Date.now() } = sending;
  const userId = from as UserId;
  const body = { messageId, channel, from: { userId, name }, text, sentAtMs };
  const command = { userId, event: 'chat:send', commandId, payloadHash: payloadHash({ channel, text }), answer: { messageId } };
  await lanes.push({ key: `${channel.kind}-${channel.id}`, kind: 'chat.moderate', body, command });
  return messageId;
}

async function readInbox(redis: Redis, realm: RealmId): Promise<Told[]> {
  const entries = await redis.xrange(keysOf(realm).inbox(listener), '-', '+');
  return entries.flatMap(([, fields]) => {
    const data = JSON.parse(fields[fields.indexOf('data') + 1] ?? '{}') as { opts: { rooms: string[] }; packet?: { data: [string, Record<string, unknown>] } };
    return data.packet === undefined ? [] : [{ rooms: data.opts.rooms, event: data.packet.data[0], payload: data.packet.data[1] }];
  });
}
