import { Rejection } from '@skirmish/protocol';
import type { RealmId, UserId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';

import { laneCommands, laneQueues } from './commands.ts';
import type { LaneBody, LaneKindOf, LaneQueueName } from './commands.ts';
import type { Doorbell } from './doorbell.ts';
import { checkLaneKey } from './lane-key.ts';
import type { LaneLogger } from './lane-logger.ts';
import type { LaneMetrics, PushOutcome } from './lane-metrics.ts';
import { openRecord, recordBytesMax } from './lane-record.ts';
import { pushScript } from './lane-scripts.ts';
import type { PushReply } from './lane-scripts.ts';

/** The command of a client: its id has one effect within 10 minutes, and the same payload gets the same `answer`. */
export interface CommandOnce<Answer extends object = object> {
  readonly userId: UserId;
  /** Wire name of the event; a command id counts per user and event. */
  readonly event: string;
  readonly commandId: string;
  readonly payloadHash: string;
  /** Data of the acknowledgement, kept for repetitions. */
  readonly answer: Answer;
}

/** A command by its id and payload. */
export type CommandOfClient = Omit<CommandOnce, 'answer'>;

export interface LanePush<K extends LaneKindOf<LaneQueueName>, Answer extends object = object> {
  readonly key: string;
  readonly kind: K;
  readonly body: LaneBody<K>;
  readonly command?: CommandOnce<Answer>;
}

export interface Pushed<Answer extends object = object> {
  /** Grows strictly within the lane. */
  readonly position: number;
  /** The answer that the first push of this command was given; absent when the cluster itself pushed. */
  readonly answer: Answer | undefined;
  readonly repeated: boolean;
}

const answerTtlMs = 600_000;

export interface PushContext<Q extends LaneQueueName> {
  readonly redis: Redis;
  readonly realm: RealmId;
  readonly queue: Q;
  readonly doorbell: Doorbell;
  readonly metrics: LaneMetrics;
  readonly logger: LaneLogger;
}

/** Appends one command and rings; see `LaneProducer.push` for what it promises. */
export async function pushToLane<Q extends LaneQueueName, K extends LaneKindOf<Q>, Answer extends object>(
  context: PushContext<Q>,
  push: LanePush<K, Answer>,
): Promise<Pushed<Answer>> {
  const reply = await send(context, push);
  if (reply.outcome === 'full') throw new Rejection(laneQueues[context.queue].full);
  if (reply.outcome === 'differs') throw new Rejection('payload/invalid', { path: 'commandId' });
  // Also for a repetition: the first push may have died before its ring.
  await ring(context, push.key);
  if (reply.outcome === 'pushed') return { position: reply.position, answer: push.command?.answer, repeated: false };
  return { position: reply.position, answer: JSON.parse(reply.answer) as Answer, repeated: true };
}

/** Whether this command was pushed before, with the same payload; see `LaneProducer.knows`. */
export async function knowsCommand({ redis, realm }: PushContext<LaneQueueName>, { userId, event, commandId, payloadHash }: CommandOfClient): Promise<boolean> {
  try {
    return (await redis.hget(keysOf(realm).command(userId, event, commandId), 'hash')) === payloadHash;
  } catch (cause) {
    throw new Rejection('server/unavailable', { cause });
  }
}

async function send<Q extends LaneQueueName, K extends LaneKindOf<Q>>(context: PushContext<Q>, push: LanePush<K>): Promise<PushReply> {
  const { key, kind, body, command } = push;
  checkLaneKey(key);
  const record = openRecord({ kind, key, body, ...(command && { userId: command.userId, commandId: command.commandId }) });
  if (Buffer.byteLength(record) > recordBytesMax) throw new Rejection('payload/too-large');
  const keys = keysOf(context.realm);
  const names = [keys.lane(context.queue, key), keys.laneState(context.queue, key), keys.lanes(context.queue)];
  if (command) names.push(keys.command(command.userId, command.event, command.commandId));
  const report = (outcome: PushOutcome): void => {
    context.metrics.pushed(kind, outcome);
  };
  try {
    const reply = await pushScript.run(context.redis, names, [
      key,
      record,
      laneCommands[kind].lengthMax,
      command?.payloadHash ?? '',
      JSON.stringify(command?.answer ?? {}),
      answerTtlMs,
    ]);
    report(reply.outcome);
    return reply;
  } catch (cause) {
    report('unavailable');
    throw new Rejection('server/unavailable', { cause });
  }
}

/** The command is in its lane already: a ring that fails costs time until the sweeper comes, never the command. */
async function ring<Q extends LaneQueueName>(context: PushContext<Q>, key: string): Promise<void> {
  try {
    await context.doorbell.ring(key);
  } catch (error) {
    context.metrics.ringLost();
    context.logger.warn({ queue: context.queue, err: String(error) }, 'doorbell not rung, the sweeper will');
  }
}
