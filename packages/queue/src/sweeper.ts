import type { RealmKeys, Redis } from '@skirmish/redis';

import type { LaneQueueName } from './commands.ts';
import type { Doorbell } from './doorbell.ts';
import type { LaneLogger } from './lane-logger.ts';
import { throttled } from './lane-logger.ts';
import type { LaneMetrics } from './lane-metrics.ts';

export interface SweepLimits {
  readonly intervalMs: number;
  /** A lane that made no progress for so long is rung again; ringing a lane whose doorbell is alive does nothing. */
  readonly quietMs: number;
  /** A lane that made no progress for so long has its deduplication key examined, and removed when its job is dead. */
  readonly deadKeyMs: number;
  readonly batch: number;
}

export const sweepLimits: SweepLimits = { intervalMs: 1000, quietMs: 2000, deadKeyMs: 30_000, batch: 200 };

export interface Sweeper {
  /** One round; for tests. Resolves with the number of lanes that were rung. */
  sweep(): Promise<number>;
  stop(): Promise<void>;
}

export interface SweeperContext {
  readonly redis: Redis;
  readonly keys: RealmKeys;
  readonly queue: LaneQueueName;
  readonly doorbell: Doorbell;
  readonly metrics: LaneMetrics;
  readonly logger: LaneLogger;
  readonly limits: SweepLimits;
}

/** Finds lanes that hold commands and whose doorbell was lost; one per worker process, they do not disturb each other. */
export function startSweeper(context: SweeperContext): Sweeper {
  const { limits, metrics } = context;
  const report = throttled((message) => {
    context.logger.warn({ queue: context.queue, err: message }, 'sweep failed');
  });
  let offset = 0;
  let stopped = false;
  let running: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const sweep = async (): Promise<number> => {
    const nowMs = await redisNowMs(context.redis);
    const quiet = await quietLanes(context, nowMs, offset);
    // The next round goes on behind this one, or lanes that wait for good reason would hide the others.
    offset = quiet.length < limits.batch ? 0 : offset + limits.batch;
    for (const lane of quiet) await wake(context, lane.key, nowMs - lane.sinceMs);
    metrics.depth(...(await depthOf(context)));
    return quiet.length;
  };
  const round = (): void => {
    running = sweep()
      .catch((error: unknown) => {
        metrics.swept('failed');
        report(String(error));
      })
      .finally(schedule);
  };
  const schedule = (): void => {
    if (!stopped) timer = setTimeout(round, limits.intervalMs * (0.75 + Math.random() / 2));
  };
  schedule();
  return {
    sweep,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

async function wake(context: SweeperContext, key: string, quietForMs: number): Promise<void> {
  if (quietForMs >= context.limits.deadKeyMs && (await context.doorbell.unlock(key))) {
    context.metrics.swept('unlocked');
    context.logger.warn({ queue: context.queue, lane: key, quietForMs }, 'dead deduplication key removed');
  }
  await context.doorbell.ring(key);
  context.metrics.swept('rung');
}

async function quietLanes(context: SweeperContext, nowMs: number, offset: number): Promise<{ key: string; sinceMs: number }[]> {
  const { redis, keys, queue, limits } = context;
  const untilMs = nowMs - limits.quietMs;
  const flat = await redis.zrangebyscore(keys.lanes(queue), '-inf', untilMs, 'WITHSCORES', 'LIMIT', offset, limits.batch);
  const lanes: { key: string; sinceMs: number }[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) lanes.push({ key: flat[index] ?? '', sinceMs: Number(flat[index + 1]) });
  return lanes;
}

async function depthOf({ redis, keys, queue }: SweeperContext): Promise<[lanes: number, dead: number]> {
  return [await redis.zcard(keys.lanes(queue)), await redis.llen(keys.laneDead(queue))];
}

/** Scores of the index come from Redis, so must the time that they are compared with. */
async function redisNowMs(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
