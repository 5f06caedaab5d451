import { createCombat, createDatabase, migrate } from '@skirmish/database';
import type { Database } from '@skirmish/database';
import type { CharacterId, CombatId, RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { createLaneProducer, readDeadCommands } from '@skirmish/queue';
import type { DeadCommand, LaneProducer } from '@skirmish/queue';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';
import { startProcess, uniqueRealm } from '@skirmish/testing';
import type { ManagedProcess } from '@skirmish/testing';

import { checkDelivery } from './_delivery-checker.ts';
import type { Delivery, DeliveryReport } from './_delivery-checker.ts';

/** Fights without rules, a producer and worker processes on them, and the checker over what they left in Postgres. */
export interface LaneField extends AsyncDisposable {
  readonly realm: RealmId;
  readonly redis: Redis;
  readonly producer: LaneProducer<'combat'>;
  readonly combats: readonly CombatId[];
  readonly workers: ManagedProcess[];
  addWorker(env?: Record<string, string>): Promise<ManagedProcess>;
  /** Pushes one turn to every fight, many at a time, one at a time per fight. */
  pushRound(turn: number): Promise<void>;
  pushTurn(combat: CombatId, turn: number): Promise<void>;
  /** How many commands have had an effect. */
  applied(): Promise<number>;
  pendingLanes(): Promise<number>;
  pendingCommands(): Promise<number>;
  dead(): Promise<DeadCommand[]>;
  /** Lost, doubled and swapped effects, when each fight was given the turns 1 … `turns`. */
  check(turns: number): Promise<DeliveryReport>;
}

export async function openLaneField(o: { redisUrl: string; databaseUrl: string; fights: number; workers: number; fault?: string }): Promise<LaneField> {
  const realm = uniqueRealm() as RealmId;
  const database = createDatabase({ url: o.databaseUrl, poolMax: 8 });
  await migrate(database, { logger: { info: () => undefined, warn: () => undefined } });
  const combats = Array.from({ length: o.fights }, (_, index) => `${realm}-${index}` as CombatId);
  await Promise.all(combats.map((combatId) => openFight(database, realm, combatId)));
  const redis = createRedis({ url: o.redisUrl, name: 'test', role: 'queue' });
  await whenReady(redis);
  const producer = createLaneProducer({ redis, realm, queue: 'combat' });
  const workers: ManagedProcess[] = [];
  const env = { REDIS_URL: o.redisUrl, DATABASE_URL: o.databaseUrl, REALM: realm, FAULT: o.fault ?? 'none' };
  const addWorker = async (): Promise<ManagedProcess> => {
    const worker = await startProcess({ name: 'lane worker', entry: new URL('./_lane-worker.ts', import.meta.url), env });
    workers.push(worker);
    return worker;
  };
  await Promise.all(Array.from({ length: o.workers }, addWorker));
  const pushTurn = async (combat: CombatId, turn: number): Promise<void> => {
    const answer = { accepted: true };
    const command = { userId: 'u1' as UserId, event: 'combat:act', commandId: `${combat}-${turn}`, payloadHash: String(turn), answer };
    await producer.push({ key: combat, kind: 'combat.act', body: bodyOf(combat, turn), command });
  };
  return {
    realm,
    redis,
    producer,
    combats,
    workers,
    addWorker,
    pushTurn,
    pushRound: async (turn) => {
      await Promise.all(combats.map((combat) => pushTurn(combat, turn)));
    },
    applied: async () => (await effectsOf(database, realm)).length,
    pendingLanes: () => redis.zcard(keysOf(realm).lanes('combat')),
    pendingCommands: async () => {
      const lengths = await Promise.all(combats.map((combat) => redis.llen(keysOf(realm).lane('combat', combat))));
      return lengths.reduce((sum, length) => sum + length, 0);
    },
    dead: () => readDeadCommands({ redis, realm, queue: 'combat', limit: 100 }),
    check: async (turns) => checkDelivery(Object.fromEntries(combats.map((combat) => [combat, turns])), await effectsOf(database, realm)),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
      await producer.close();
      redis.disconnect();
      await database.close();
    },
  };
}

const bodyOf = (combatId: CombatId, turn: number) =>
  ({ combatId, turn, userId: 'u1' as UserId, characterId: 'c1' as CharacterId, action: { kind: 'pass' } }) as const;

async function openFight(database: Database, realm: RealmId, combatId: CombatId): Promise<void> {
  const events = [{ seq: 1, type: 'combat:started', payload: {} }];
  const next = { actorId: 'c1', deadlineMs: Date.now() + 600_000 };
  const progress = { state: {}, turn: 0, next, ended: null, events, combatants: [] };
  const combatants = [{ characterId: 'c1', userId: 'u1', name: 'One', side: 0, health: 100, healthMax: 100 }];
  const command = { kind: 'combat.start', userId: 'u1', commandId: combatId };
  await createCombat(database, { combatId, realm, zoneId: 'meadow' as ZoneId, seed: 'seed', command, progress, combatants }, { memoryMs: 1 });
}

/** All effects, each fight's in the order in which they were committed. */
async function effectsOf(database: Database, realm: RealmId): Promise<Delivery[]> {
  const rows = await database.db
    .selectFrom('combat_events')
    .select(['combat_id', 'seq', 'payload'])
    .where('combat_id', 'like', `${realm}-%`)
    .where('type', '=', 'combat:resolved')
    .orderBy('combat_id')
    .orderBy('seq')
    .execute();
  return rows.map((row) => ({ sender: row.combat_id, number: Number(row.payload['turn']) }));
}
