import { DelayedError } from 'bullmq';
import type { Job } from 'bullmq';
import * as v from 'valibot';

import { isKindOf } from './commands.ts';
import type { LaneBody, LaneKindOf, LaneQueueName } from './commands.ts';
import { jobNames } from './doorbell.ts';
import { pushToLane } from './lane-push.ts';
import type { PushContext } from './lane-push.ts';
import { runLane } from './run-lane.ts';
import type { LaneRunner } from './run-head.ts';

const doorbellSchema = v.object({ v: v.number(), key: v.string() });
const timerSchema = v.object({ v: v.number(), key: v.string(), kind: v.string(), body: v.unknown() });

export interface JobProcessorOptions<Q extends LaneQueueName> {
  readonly runner: LaneRunner<Q>;
  readonly push: PushContext<Q>;
  readonly counter: { enter(): void; leave(): void };
}

/** What BullMQ calls for each job. Three parameters, because BullMQ gives the signal only to functions that name it. */
export function createJobProcessor<Q extends LaneQueueName>(
  o: JobProcessorOptions<Q>,
): (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<void> {
  return async (job, token, signal) => {
    o.counter.enter();
    try {
      if (job.name === jobNames.timer) await fireTimer(o.push, job);
      else await answerDoorbell(o, job, token, signal);
    } finally {
      o.counter.leave();
    }
  };
}

async function answerDoorbell<Q extends LaneQueueName>(
  o: JobProcessorOptions<Q>,
  job: Job,
  token: string | undefined,
  outer: AbortSignal | undefined,
): Promise<void> {
  const data = v.safeParse(doorbellSchema, job.data);
  if (!data.success) {
    o.push.logger.error({ queue: o.push.queue }, 'malformed doorbell dropped');
    return;
  }
  const { key } = data.output;
  const turn = await runLane(o.runner, key, { outer, returns: Math.max(0, job.attemptsStarted - 1) });
  if (turn.end === 'again') await o.push.doorbell.ring(key);
  if (turn.end === 'wait') {
    // The doorbell itself waits, keeps its deduplication key, and holds no place of the worker meanwhile.
    await job.moveToDelayed(Date.now() + turn.delayMs, token);
    throw new DelayedError();
  }
}

async function fireTimer<Q extends LaneQueueName>(push: PushContext<Q>, job: Job): Promise<void> {
  const data = v.safeParse(timerSchema, job.data);
  if (!data.success || !isKindOf(push.queue, data.output.kind)) {
    push.metrics.error('timer');
    push.logger.error({ queue: push.queue }, 'malformed timer dropped');
    return;
  }
  const { key, kind, body } = data.output;
  await pushToLane<Q, LaneKindOf<Q>, object>(push, { key, kind, body: body as LaneBody<LaneKindOf<Q>> });
}
