import type { Metrics } from '@skirmish/observability';
import type { RealmId } from '@skirmish/protocol';
import { createRedis, keysOf } from '@skirmish/redis';
import { Worker } from 'bullmq';

import type { LaneCommand, LaneKindOf, LaneQueueName } from './commands.ts';
import { createDoorbell, keepFailed, keepNone } from './doorbell.ts';
import { createJobProcessor } from './job-processor.ts';
import { throttled } from './lane-logger.ts';
import type { LaneLogger } from './lane-logger.ts';
import { createLaneMetrics } from './lane-metrics.ts';
import type { LaneMetrics } from './lane-metrics.ts';
import { startSweeper, sweepLimits } from './sweeper.ts';
import type { SweepLimits } from './sweeper.ts';

/** A doorbell is never given up because its workers died: the commands count their own tries. */
const maxStalledCount = 1_000_000;
const stalledCheckMs = 1000;
const closeTimeoutMsDefault = 5000;
const cancelTimeoutMs = 500;

export interface LaneWorkerOptions<Q extends LaneQueueName> {
  readonly redisUrl: string;
  readonly realm: RealmId;
  readonly queue: Q;
  /** Lanes that are stepped at the same time in this process. */
  readonly concurrency: number;
  /** After a process died its lanes go on within this time and one second; default 3,000. */
  readonly lockMs?: number;
  /**
   * Load, decide, save, tell. Runs at least once per command, in order per lane, and may run twice side by side when a process
   * was frozen: saving must be unique per command and check a version, telling must be repeatable. The signal fires at the time
   * limit of the kind and when the lane is taken away.
   */
  readonly step: (command: LaneCommand<LaneKindOf<Q>>, signal: AbortSignal) => Promise<void>;
  readonly logger: LaneLogger;
  readonly metrics?: Metrics;
  /** True when the surroundings failed (database away, time limits): the command waits at its head and no try is counted. */
  readonly isInfrastructureError: (error: unknown) => boolean;
  /** Told before a command goes to the dead list, at least once; it has 4 s. The command waits while the infrastructure is away, or that takes longer. */
  readonly onDead?: (command: LaneCommand<LaneKindOf<Q>>, error: Error) => Promise<void>;
  readonly sweep?: Partial<SweepLimits>;
}

export interface LaneWorkerStats {
  readonly running: number;
  readonly stepped: number;
  readonly dead: number;
}

export interface LaneWorker extends AsyncDisposable {
  /** Resolves when the worker takes commands. */
  ready(): Promise<void>;
  stats(): LaneWorkerStats;
  /** Ends after the steps that run now, at the latest after `timeoutMs` (default 5,000); what is left goes on in another process. */
  close(timeoutMs?: number): Promise<void>;
}

/** The side of a queue that takes commands out: one command at a time per lane, lanes side by side. */
export function createLaneWorker<Q extends LaneQueueName>(options: LaneWorkerOptions<Q>): LaneWorker {
  const { realm, queue, logger, concurrency, lockMs = 3000 } = options;
  const keys = keysOf(realm);
  const redis = createRedis({ url: options.redisUrl, name: `lanes-${queue}-${realm}`, role: 'worker', logger });
  const counted = countSteps(createLaneMetrics(options.metrics, queue));
  const { metrics } = counted;
  const doorbell = createDoorbell({ redis, prefix: keys.queuePrefix, queue, logger, metrics });
  let stopping = false;
  const process = createJobProcessor({
    runner: { ...options, redis, keys, metrics, stopping: () => stopping },
    push: { redis, realm, queue, doorbell, metrics, logger },
    counter: counted,
  });
  const worker = new Worker(queue, process, {
    connection: redis,
    prefix: keys.queuePrefix,
    concurrency,
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
    maxStalledCount,
    removeOnComplete: keepNone,
    removeOnFail: keepFailed,
  });
  watch(worker, { queue, logger, metrics });
  const sweeper = startSweeper({ redis, keys, queue, doorbell, metrics, logger, limits: { ...sweepLimits, ...options.sweep } });
  let closing: Promise<void> | undefined;
  const end = async (timeoutMs: number): Promise<void> => {
    stopping = true;
    const orderly = (async (): Promise<void> => {
      await worker.close();
      await sweeper.stop();
      await doorbell.close();
    })();
    if (!(await endsWithin(orderly, timeoutMs))) {
      logger.warn({ queue, timeoutMs }, 'lane worker cut off');
      // Steps that hear their signal hand their lanes over at once; the others' lanes wait for the lock to run out.
      worker.cancelAllJobs('the worker closes');
      await endsWithin(orderly, cancelTimeoutMs);
    }
    // Rejects what still waits for Redis, so nothing of this worker outlives it.
    redis.disconnect();
  };
  const close = (timeoutMs = closeTimeoutMsDefault): Promise<void> => (closing ??= end(timeoutMs));
  return {
    ready: async () => {
      await worker.waitUntilReady();
    },
    stats: counted.stats,
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

function watch(worker: Worker, o: { queue: string; logger: LaneLogger; metrics: LaneMetrics }): void {
  const report = throttled((message) => {
    o.logger.warn({ queue: o.queue, err: message }, 'worker error');
  });
  worker.on('error', (error) => {
    o.metrics.error('worker');
    report(error.message);
  });
  worker.on('failed', (_job, error) => {
    report(error.message);
  });
  worker.on('stalled', () => {
    o.metrics.stalled();
  });
  // The lane belongs to another worker by now: stop working on it as soon as the step lets us.
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const id of jobIds) worker.cancelJob(id, 'the lane was taken over');
  });
}

function countSteps(inner: LaneMetrics): { metrics: LaneMetrics; stats: () => LaneWorkerStats; enter: () => void; leave: () => void } {
  const stats = { running: 0, stepped: 0, dead: 0 };
  const metrics: LaneMetrics = {
    ...inner,
    stepped: (kind, outcome, durationMs) => {
      if (outcome === 'done') stats.stepped += 1;
      if (outcome === 'dead') stats.dead += 1;
      inner.stepped(kind, outcome, durationMs);
    },
  };
  const enter = (): void => {
    stats.running += 1;
  };
  const leave = (): void => {
    stats.running -= 1;
  };
  return { metrics, stats: () => ({ ...stats }), enter, leave };
}

async function endsWithin(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  try {
    return await Promise.race([work.then(() => true).catch(() => true), limit]);
  } finally {
    clearTimeout(timer);
  }
}
