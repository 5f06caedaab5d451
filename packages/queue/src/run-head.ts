import type { RealmKeys, Redis } from '@skirmish/redis';

import { laneCommands } from './commands.ts';
import type { LaneCommand, LaneKindOf, LaneQueueName } from './commands.ts';
import { deadEntryOf } from './dead-list.ts';
import type { DeadReason } from './dead-list.ts';
import type { LaneLogger } from './lane-logger.ts';
import type { LaneMetrics } from './lane-metrics.ts';
import { UnreadableRecord, readRecord } from './lane-record.ts';
import { refundScript } from './lane-scripts.ts';
import { asError, runStep } from './run-step.ts';
import type { StepResult } from './run-step.ts';

const unreadable = { triesMax: 3, backOffMs: 500 } as const;
const outageBackOffMs = { first: 100, max: 2000 } as const;
const onDeadTimeoutMs = 4000;

/** What a worker process needs to step the commands of any lane of its queue. */
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

/** The record at the head of a lane, with this run of it counted already. */
export interface Head {
  readonly key: string;
  readonly record: string;
  readonly tries: number;
  /** Names this run, so that only this run can take its try back. */
  readonly attempt: string;
  /** How often this doorbell has come back to its lane; lengthens the back-off. */
  readonly returns: number;
  /** Fires when the lane is taken away. */
  readonly outer: AbortSignal | undefined;
}

/** Pop the head, with an entry for the dead list where it is given up; or leave it and come back. */
export type Verdict = { pop: true; deadEntry: string } | { pop: false; delayMs: number };

/** Runs the step of the head and decides what becomes of it. Rejects only when Redis does. */
export async function runHead<Q extends LaneQueueName>(runner: LaneRunner<Q>, head: Head): Promise<Verdict> {
  let command: LaneCommand<LaneKindOf<Q>>;
  try {
    command = readRecord(runner.queue, head.record, head.tries);
    if (command.key !== head.key) throw new UnreadableRecord('the record belongs to another lane');
  } catch (error) {
    return afterUnreadable(runner, head, asError(error));
  }
  const { triesMax, stepTimeoutMs, backOffMs } = laneCommands[command.kind];
  if (head.tries > triesMax) {
    return giveUp(runner, command, head, 'process-death', new Error(`the process died in ${triesMax} tries of this command`));
  }
  if (head.tries === 1) runner.metrics.waited(command.kind, Math.max(0, Date.now() - command.pushedAtMs));
  const startedAtMs = performance.now();
  const { outer } = head;
  const { isInfrastructureError } = runner;
  const result = await runStep((signal) => runner.step(command, signal), { timeoutMs: stepTimeoutMs, outer, isInfrastructureError });
  runner.metrics.stepped(command.kind, result.outcome, performance.now() - startedAtMs);
  if (result.outcome === 'done') return { pop: true, deadEntry: '' };
  if (result.outcome !== 'rule-error') return leave(runner, command, head, result, outageDelayMs(head));
  if (head.tries >= triesMax) return giveUp(runner, command, head, 'rule-error', result.error);
  return leave(runner, command, head, result, backOffMs);
}

async function leave<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  command: LaneCommand<LaneKindOf<Q>>,
  head: Head,
  result: Exclude<StepResult, { outcome: 'done' }>,
  delayMs: number,
): Promise<Verdict> {
  if (result.outcome !== 'rule-error') {
    await refundScript.run(runner.redis, [runner.keys.laneState(runner.queue, head.key)], [head.attempt]);
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
  const { onDead, isInfrastructureError } = runner;
  if (onDead) {
    const told = await runStep(() => onDead(command, error), { timeoutMs: onDeadTimeoutMs, isInfrastructureError });
    // What takes too long is the surroundings' fault here as well: whoever tells tries for longer than this while Redis is away.
    if (told.outcome === 'infrastructure' || told.outcome === 'timeout') return leave(runner, command, head, told, outageDelayMs(head));
    if (told.outcome === 'rule-error') runner.logger.error({ ...factsOf(command), err: told.error.message }, 'nobody was told of a dead command');
  }
  runner.metrics.stepped(command.kind, 'dead', 0);
  runner.logger.error({ ...factsOf(command), reason, err: error.message }, 'command moved to the dead list');
  return { pop: true, deadEntry: deadEntryOf({ ...head, reason, error }) };
}

/** Another process may be of a version that can read it, so it gets its tries, with a pause between them. */
function afterUnreadable<Q extends LaneQueueName>(runner: LaneRunner<Q>, head: Head, error: Error): Verdict {
  runner.metrics.stepped('unknown', 'unreadable', 0);
  if (head.tries < unreadable.triesMax) return { pop: false, delayMs: unreadable.backOffMs };
  runner.metrics.stepped('unknown', 'dead', 0);
  runner.logger.error({ queue: runner.queue, lane: head.key, err: error.message }, 'unreadable record moved to the dead list');
  return { pop: true, deadEntry: deadEntryOf({ ...head, reason: 'unreadable', error }) };
}

function outageDelayMs(head: Head): number {
  const delay = Math.min(outageBackOffMs.first * 2 ** Math.min(head.returns, 10), outageBackOffMs.max);
  return Math.round(delay * (0.75 + Math.random() / 2));
}

function factsOf(command: LaneCommand): object {
  return { queue: command.queue, lane: command.key, kind: command.kind, position: command.position, tries: command.tries };
}
