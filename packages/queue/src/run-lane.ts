import { randomUUID } from 'node:crypto';

import type { RealmKeys, Redis } from '@skirmish/redis';

import { laneCommands, laneQueues } from './commands.ts';
import type { LaneCommand, LaneKindOf, LaneQueueName } from './commands.ts';
import { deadEntryOf } from './dead-list.ts';
import type { DeadReason } from './dead-list.ts';
import type { LaneLogger } from './lane-logger.ts';
import type { LaneMetrics } from './lane-metrics.ts';
import { UnreadableRecord, readRecord } from './lane-record.ts';
import { nextScript, refundScript } from './lane-scripts.ts';
import type { NextReply } from './lane-scripts.ts';
import { asError, runStep } from './run-step.ts';
import type { StepResult } from './run-step.ts';

/** Commands of one lane that are stepped before the other lanes get their turn. */
export const commandsPerRing = 32;
const triesMaxOfUnreadable = 3;
const backOffOfUnreadableMs = 500;
const infrastructureBackOffMs = { first: 100, max: 2000 } as const;
const idleStateTtlMs = 600_000;
const onDeadTimeoutMs = 2000;

export interface LaneRunner<Q extends LaneQueueName> {
  readonly redis: Redis;
  readonly keys: RealmKeys;
  readonly queue: Q;
  readonly step: (command: LaneCommand<LaneKindOf<Q>>, signal: AbortSignal) => Promise<void>;
  readonly isInfrastructureError: (error: unknown) => boolean;
  readonly onDead?: ((command: LaneCommand<LaneKindOf<Q>>, error: Error) => Promise<void>) | undefined;
  readonly stopping: () => boolean;
  readonly metrics: LaneMetrics;
  readonly logger: LaneLogger;
}

/** `again`: ring once more; `wait`: come back to the same head after `delayMs`. */
export type LaneTurn = { end: 'empty' } | { end: 'again' } | { end: 'wait'; delayMs: number };

/** What to do with the head after a run: pop it, give it up, or leave it. */
type Verdict = { pop: true; deadEntry: string } | { pop: false; delayMs: number };

/** Steps the commands of one lane in order, at most 32, and pops each by comparing the head. Rejects when Redis does. */
export async function runLane<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  key: string,
  ring: { outer?: AbortSignal | undefined; failures: number },
): Promise<LaneTurn> {
  let finished = { record: '', deadEntry: '' };
  for (let handled = 0; ; handled += 1) {
    const attempt = randomUUID();
    const wanted = handled < commandsPerRing && !runner.stopping() && !ring.outer?.aborted;
    const next = await takeNext(runner, key, finished, attempt, wanted);
    if (next.outcome === 'empty') return { end: 'empty' };
    if (next.outcome === 'lost') runner.metrics.lost();
    if (next.outcome !== 'head') return { end: 'again' };
    const verdict = await runHead(runner, key, { ...next, attempt }, ring);
    if (!verdict.pop) return { end: 'wait', delayMs: verdict.delayMs };
    finished = { record: next.record, deadEntry: verdict.deadEntry };
  }
}

function takeNext<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  key: string,
  finished: { record: string; deadEntry: string },
  attempt: string,
  wanted: boolean,
): Promise<NextReply> {
  const { redis, keys, queue } = runner;
  const names = [keys.lane(queue, key), keys.laneState(queue, key), keys.lanes(queue), keys.laneDead(queue)];
  const { record, deadEntry } = finished;
  return nextScript.run(redis, names, [key, record, attempt, wanted ? 1 : 0, deadEntry, laneQueues[queue].deadMax, idleStateTtlMs]);
}

interface Head {
  readonly record: string;
  readonly tries: number;
  readonly attempt: string;
}

async function runHead<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  key: string,
  head: Head,
  ring: { outer?: AbortSignal | undefined; failures: number },
): Promise<Verdict> {
  let command: LaneCommand<LaneKindOf<Q>>;
  try {
    command = readRecord(runner.queue, head.record, head.tries);
  } catch (error) {
    return unreadable(runner, key, head, asError(error));
  }
  const { triesMax, stepTimeoutMs, backOffMs } = laneCommands[command.kind];
  if (head.tries > triesMax) {
    return giveUp(runner, command, head, 'process-death', new Error(`the process died in ${triesMax} tries of this command`));
  }
  if (head.tries === 1) runner.metrics.waited(command.kind, Math.max(0, Date.now() - command.pushedAtMs));
  const startedAtMs = performance.now();
  const { outer } = ring;
  const result = await runStep((signal) => runner.step(command, signal), {
    timeoutMs: stepTimeoutMs,
    outer,
    isInfrastructureError: runner.isInfrastructureError,
  });
  runner.metrics.stepped(command.kind, result.outcome, performance.now() - startedAtMs);
  if (result.outcome === 'done') return { pop: true, deadEntry: '' };
  if (result.outcome === 'rule-error' && head.tries >= triesMax) return giveUp(runner, command, head, 'rule-error', result.error);
  return leave(runner, command, head, result, result.outcome === 'rule-error' ? backOffMs : infrastructureDelayMs(ring.failures));
}

async function leave<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  command: LaneCommand<LaneKindOf<Q>>,
  head: Head,
  result: Exclude<StepResult, { outcome: 'done' }>,
  delayMs: number,
): Promise<Verdict> {
  if (result.outcome !== 'rule-error') {
    await refundScript.run(runner.redis, [runner.keys.laneState(runner.queue, command.key)], [head.attempt]);
  }
  const fields = { ...factsOf(command), outcome: result.outcome, err: result.error.message, delayMs };
  runner.logger.warn(fields, 'command left at the head of its lane');
  return { pop: false, delayMs };
}

async function giveUp<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  command: LaneCommand<LaneKindOf<Q>>,
  head: Head,
  reason: DeadReason,
  error: Error,
): Promise<Verdict> {
  const { onDead } = runner;
  if (onDead) {
    const told = await runStep(() => onDead(command, error), { timeoutMs: onDeadTimeoutMs, isInfrastructureError: () => false });
    if (told.outcome !== 'done') runner.logger.error({ ...factsOf(command), err: told.error.message }, 'nobody was told of a dead command');
  }
  runner.metrics.stepped(command.kind, 'dead', 0);
  runner.logger.error({ ...factsOf(command), reason, err: error.message }, 'command moved to the dead list');
  return { pop: true, deadEntry: deadEntryOf({ key: command.key, record: head.record, tries: head.tries, reason, error }) };
}

/** Another process may be of a version that can read it, so it gets its tries with a pause between them. */
function unreadable<Q extends LaneQueueName>(runner: LaneRunner<Q>, key: string, head: Head, error: Error): Verdict {
  runner.metrics.stepped('unknown', 'unreadable', 0);
  const known = error instanceof UnreadableRecord ? error.message : 'unexpected';
  if (head.tries < triesMaxOfUnreadable) return { pop: false, delayMs: backOffOfUnreadableMs };
  runner.metrics.stepped('unknown', 'dead', 0);
  runner.logger.error({ queue: runner.queue, lane: key, err: known }, 'unreadable record moved to the dead list');
  return { pop: true, deadEntry: deadEntryOf({ key, record: head.record, tries: head.tries, reason: 'unreadable', error }) };
}

function infrastructureDelayMs(failures: number): number {
  const delay = Math.min(infrastructureBackOffMs.first * 2 ** Math.min(failures, 10), infrastructureBackOffMs.max);
  return Math.round(delay * (0.75 + Math.random() / 2));
}

function factsOf(command: LaneCommand): object {
  return { queue: command.queue, lane: command.key, kind: command.kind, position: command.position, tries: command.tries };
}
