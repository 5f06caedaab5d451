import { defineScript } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';
import { Queue } from 'bullmq';

import { doorbellIdOf, timerIdOf } from './lane-key.ts';
import type { LaneLogger } from './lane-logger.ts';
import { throttled } from './lane-logger.ts';
import type { LaneMetrics } from './lane-metrics.ts';

/** Data of the two kinds of BullMQ jobs; the commands themselves stay in the lane. */
export interface DoorbellJob {
  readonly v: 1;
  readonly key: string;
}
export interface TimerJob extends DoorbellJob {
  readonly kind: string;
  readonly body: unknown;
}

export const jobNames = { doorbell: 'doorbell', timer: 'timer' } as const;

/** Objects, never booleans: a worker-level `true` fails every job of BullMQ 6.7.0. */
export const keepNone = { count: 0 } as const;
export const keepFailed = { count: 100, age: 86_400 } as const;

const initTimeoutMs = 2000;
const eventsLengthMax = 1000;

const deleteIfEqual = defineScript<[value: string], boolean>({
  name: 'deleteIfEqual',
  lua: `return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0`,
  reply: (raw) => raw === 1,
});

/** States in which a doorbell will ring by itself. */
const alive: ReadonlySet<string> = new Set(['waiting', 'active', 'delayed', 'prioritized', 'waiting-children']);

export interface Doorbell {
  /** Makes sure that a worker will look at the lane. Ringing twice does nothing. */
  ring(key: string): Promise<void>;
  setTimer(id: string, timer: TimerJob, delayMs: number): Promise<void>;
  /** Removes the deduplication key of a doorbell that will never run; false when there is none, or when it is alive. */
  unlock(key: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The BullMQ side of a queue for producers; `redis` stays the caller's. */
export function createDoorbell(o: { redis: Redis; prefix: string; queue: string; logger: LaneLogger; metrics: LaneMetrics }): Doorbell {
  const report = throttled((message) => {
    o.logger.warn({ queue: o.queue, err: message }, 'queue error');
  });
  let current: Promise<Queue> | undefined;

  // A Queue that loses Redis while it starts stays broken for ever, so it is made when needed and thrown away when it failed.
  const open = async (): Promise<Queue> => {
    const queue = new Queue(o.queue, { connection: o.redis, prefix: o.prefix, streams: { events: { maxLen: eventsLengthMax } } });
    queue.on('error', (error) => {
      o.metrics.error('queue');
      report(error.message);
    });
    try {
      await within(queue.waitUntilReady(), initTimeoutMs);
      return queue;
    } catch (error) {
      current = undefined;
      void queue.close().catch(() => undefined);
      throw error;
    }
  };
  const queueOf = (): Promise<Queue> => (current ??= open());

  return {
    ring: async (key) => {
      const queue = await queueOf();
      await queue.add(jobNames.doorbell, { v: 1, key } satisfies DoorbellJob, {
        deduplication: { id: doorbellIdOf(key), keepLastIfActive: true },
        attempts: 10,
        backoff: { type: 'fixed', delay: 200 },
        removeOnComplete: keepNone,
        removeOnFail: keepFailed,
      });
    },
    setTimer: async (id, timer, delayMs) => {
      const queue = await queueOf();
      await queue.add(jobNames.timer, timer, {
        jobId: timerIdOf(id),
        delay: delayMs,
        attempts: 20,
        backoff: { type: 'fixed', delay: 500 },
        removeOnComplete: keepNone,
        removeOnFail: keepFailed,
      });
    },
    unlock: async (key) => {
      const queue = await queueOf();
      const jobId = await queue.getDeduplicationJobId(doorbellIdOf(key));
      if (jobId === null) return false;
      const job = await queue.getJob(jobId);
      // A job that is gone needs no help: the next ring replaces its key.
      if (!job || alive.has(await job.getState())) return false;
      // Compares the job id: meanwhile the key may belong to the next doorbell.
      return deleteIfEqual.run(o.redis, [queue.toKey(`de:${doorbellIdOf(key)}`)], [jobId]);
    },
    close: async () => {
      const opened = await current?.catch(() => undefined);
      current = undefined;
      await opened?.close();
    },
  };
}

async function within(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`BullMQ was not ready within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
