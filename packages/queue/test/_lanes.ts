import { realmIdSchema } from '@skirmish/protocol';
import type { CharacterId, CombatId, RealmId, UserId } from '@skirmish/protocol';
import { createRedis, whenReady } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';
import { services, uniqueRealm } from '@skirmish/testing';
import * as v from 'valibot';

import { createLaneProducer, createLaneWorker } from '../src/index.ts';
import type { LaneBody, LaneCommand, LaneProducer, LaneWorker, LaneWorkerOptions } from '../src/index.ts';

type CombatCommand = LaneCommand<'combat.start' | 'combat.act' | 'combat.timeout'>;

/** A realm of its own with a producer; workers are added by the test and closed with it. */
export interface Lanes extends AsyncDisposable {
  readonly realm: RealmId;
  readonly redis: Redis;
  readonly redisUrl: string;
  readonly producer: LaneProducer<'combat'>;
  readonly warnings: string[];
  work(step: LaneWorkerOptions<'combat'>['step'], more?: Partial<LaneWorkerOptions<'combat'>>): Promise<LaneWorker>;
}

export async function openLanes(o: { redisUrl?: string } = {}): Promise<Lanes> {
  const redisUrl = o.redisUrl ?? services().redisUrl;
  const realm = v.parse(realmIdSchema, uniqueRealm());
  const redis = createRedis({ url: redisUrl, name: 'test', role: 'queue' });
  await whenReady(redis);
  const warnings: string[] = [];
  const note = (fields: object, message: string): void => {
    warnings.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger = { info: note, warn: note, error: note };
  const producer = createLaneProducer({ redis, realm, queue: 'combat', logger });
  const workers: LaneWorker[] = [];
  return {
    realm,
    redis,
    redisUrl,
    producer,
    warnings,
    work: async (step, more = {}) => {
      const worker = createLaneWorker({
        redisUrl,
        realm,
        queue: 'combat',
        concurrency: 20,
        step,
        logger,
        isInfrastructureError: (error) => error instanceof Outage,
        // Off, unless a test is about it: it would heal what the tests are to find.
        sweep: { intervalMs: 600_000 },
        ...more,
      });
      workers.push(worker);
      await worker.ready();
      return worker;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      await producer.close();
      redis.disconnect();
    },
  };
}

/** Stands for a database that is away. */
export class Outage extends Error {
  override readonly name = 'Outage';
}

/** An act whose turn is the number that the test counts. */
export function actOf(turn: number, key = 'c1'): LaneBody<'combat.act'> {
  return { combatId: key as CombatId, turn, userId: 'u1' as UserId, characterId: 'c1' as CharacterId, action: { kind: 'pass' } };
}

export function turnOf(command: CombatCommand): number {
  return command.kind === 'combat.start' ? 0 : command.body.turn;
}

export function commandOf(commandId: string, payloadHash: string, answer: object = { accepted: true }) {
  return { userId: 'auth0|x:{y}' as UserId, event: 'combat:act', commandId, payloadHash, answer };
}
