import { randomUUID } from 'node:crypto';
import { combatLog, createDatabase, type Database, migrate, seedDevelopmentWorld } from '@skirmish/database';
import type { CharacterId, CombatId, IncarnationId, RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { createLaneProducer, payloadHash, type LaneBody, type LaneProducer } from '@skirmish/queue';
import { createRedis, keysOf, whenReady, type Redis } from '@skirmish/redis';
import { createTestDatabase, eventually, type ManagedProcess, services, startProcess, uniqueRealm } from '@skirmish/testing';
import { config, createCombatWorker, type CombatWorker, type CombatWorkerOverrides } from '../src/index.ts';

/** One entry of an inbox: an event with its object, or a change of membership. */
export type Told = { readonly kind: 'event'; readonly event: string; readonly payload: Record<string, unknown>; readonly rooms: string[] } | Moved;
export interface Moved {
  readonly kind: 'join' | 'leave';
  readonly members: string[];
  readonly rooms: string[];
}

type Action = LaneBody<'combat.act'>['action'];

/** Everything that a combat worker needs, and an inbox that hears what it tells. */
export interface Bench extends AsyncDisposable {
  readonly realm: RealmId;
  readonly database: Database;
  readonly redis: Redis;
  readonly lanes: LaneProducer<'combat'>;
  readonly env: Record<string, string>;
  told(): Promise<Told[]>;
  toldEvents(combatId: string): Promise<string[]>;
  /** A worker as a value of this process. */
  work(env?: Record<string, string>, overrides?: CombatWorkerOverrides): Promise<CombatWorker>;
  /** A worker process that dies, or freezes, when it reaches a place for the first time. */
  fragile(place: string, signal?: 'SIGKILL' | 'SIGSTOP'): Promise<ManagedProcess>;
  start(combatId: CombatId, characters?: readonly string[], commandId?: string): Promise<void>;
  act(combatId: CombatId, command: { by: string; turn: number; action: Action; commandId?: string }): Promise<void>;
  log(combatId: CombatId): Promise<{ type: string; payload: Record<string, unknown> }[]>;
  /** Waits until the log of a fight has so many events, and answers them. */
  logOf(combatId: CombatId, length: number, timeoutMs?: number): Promise<{ type: string; payload: Record<string, unknown> }[]>;
}

const listener = 'listener' as IncarnationId;
export const newCombatId = (): CombatId => randomUUID() as CombatId;
export const userOf = (characterId: string): UserId => characterId.replace('c', 'p') as UserId;

/** A database with a few players; fights of several realms may share it. */
export interface World extends AsyncDisposable {
  readonly url: string;
}

export async function createWorld(): Promise<World> {
  const postgres = await createTestDatabase();
  await using database = createDatabase({ url: postgres.url, poolMax: 1 });
  await migrate(database);
  await seedDevelopmentWorld(database, { players: 100 });
  return postgres;
}

/** A realm of its own, in a world of its own unless one is given. */
export async function createBench(shared?: World): Promise<Bench> {
  const realm = uniqueRealm() as RealmId;
  const { redisUrl } = services();
  const world = shared ?? (await createWorld());
  const database = createDatabase({ url: world.url, poolMax: 4 });
  const redis = createRedis({ url: redisUrl, name: 'bench', role: 'queue' });
  await whenReady(redis);
  await hearEverything(redis, realm);
  const lanes = createLaneProducer({ redis, realm, queue: 'combat' });
  const env = { ...environment, REALMS: realm, REDIS_URL: redisUrl, DATABASE_URL: world.url };
  const log = async (combatId: CombatId) => [...((await combatLog(database, { combatId, afterSeq: 0, limit: 1_000 }))?.events ?? [])];
  const bench: Bench = {
    realm,
    database,
    redis,
    lanes,
    env,
    told: () => readInbox(redis, realm),
    toldEvents: async (combatId) =>
      (await readInbox(redis, realm)).flatMap((told) =>
        told.kind === 'event' && told.payload['combatId'] === combatId ? [`${told.event} ${String(told.payload['seq'] ?? told.payload['code'])}`] : [],
      ),
    work: (more = {}, overrides = {}) => createCombatWorker(config.parse({ ...env, ...more }), overrides),
    fragile: (place, signal = 'SIGKILL') =>
      startProcess({ name: 'fragile worker', entry: new URL('_fragile-main.ts', import.meta.url), env: { ...env, FAIL_AT: place, FAIL_WITH: signal } }),
    start: async (combatId, [challenger = 'c1', ...opponents] = ['c1', 'c2'], commandId = `start-${combatId}`) => {
      const userId = userOf(challenger);
      const body = {
        combatId,
        zoneId: 'meadow' as ZoneId,
        challenger: { userId, characterId: challenger as CharacterId },
        opponents: opponents as CharacterId[],
      };
      await push(lanes, 'combat.start', body, commandId, userId);
    },
    act: async (combatId, { by, turn, action, commandId = randomUUID() }) => {
      const body = { combatId, turn, userId: userOf(by), characterId: by as CharacterId, action };
      await push(lanes, 'combat.act', body, commandId, userOf(by));
    },
    log,
    logOf: (combatId, length, timeoutMs = 10_000) =>
      eventually(
        async () => {
          const events = await log(combatId);
          if (events.length < length) throw new Error(`${events.length} events`);
          return events;
        },
        { timeoutMs, what: `a log of ${length} events` },
      ),
    [Symbol.asyncDispose]: async () => {
      await lanes.close();
      redis.disconnect();
      await database.close();
      if (shared === undefined) await world[Symbol.asyncDispose]();
    },
  };
  return bench;
}

const environment = {
  NODE_ENV: 'test',
  LOG_LEVEL: 'warn',
  INTERNAL_PORT: '0',
  DATABASE_POOL_MAX: '4',
  LANE_LOCK_MS: '500',
  SWEEP_INTERVAL_MS: '100',
  SWEEP_GRACE_MS: '200',
  TURN_TIMEOUT_MS: '60000',
  EPOCH_GRACE_MS: '100',
};

function push<K extends 'combat.start' | 'combat.act'>(
  lanes: LaneProducer<'combat'>,
  kind: K,
  body: LaneBody<K>,
  commandId: string,
  userId: UserId,
): Promise<unknown> {
  const command = { userId, event: kind.replace('.', ':'), commandId, payloadHash: payloadHash(body), answer: {} };
  return lanes.push({ key: body.combatId, kind, body, command });
}

/** An incarnation that is written to whatever the directory says, as one is that has just begun. */
async function hearEverything(redis: Redis, realm: RealmId): Promise<void> {
  const keys = keysOf(realm);
  await redis.set(keys.epoch, 'bench 0');
  await redis.xadd(keys.inbox(listener), '0-1', 'v', '1', 'type', 'none', 'data', '{}');
  await redis.sadd(keys.incomplete, listener);
}

async function readInbox(redis: Redis, realm: RealmId): Promise<Told[]> {
  const entries = await redis.xrange(keysOf(realm).inbox(listener), '-', '+');
  return entries.flatMap(([, fields]): Told[] => {
    const entry = Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : []))) as Record<string, string>;
    const data = JSON.parse(entry['data'] ?? '{}') as { opts?: { rooms: string[] }; rooms?: string[]; packet?: { data: [string, Record<string, unknown>] } };
    const rooms = data.opts?.rooms ?? [];
    if (entry['type'] === '3' && data.packet) return [{ kind: 'event', event: data.packet.data[0], payload: data.packet.data[1], rooms }];
    if (entry['type'] === '4') return [{ kind: 'join', members: rooms, rooms: data.rooms ?? [] }];
    if (entry['type'] === '5') return [{ kind: 'leave', members: rooms, rooms: data.rooms ?? [] }];
    return [];
  });
}
