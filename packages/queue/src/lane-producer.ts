import type { Metrics } from '@skirmish/observability';
import { Rejection } from '@skirmish/protocol';
import type { RealmId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';

import type { LaneBody, LaneKindOf, LaneQueueName } from './commands.ts';
import { createDoorbell } from './doorbell.ts';
import { checkLaneKey } from './lane-key.ts';
import type { LaneLogger } from './lane-logger.ts';
import { silentLogger } from './lane-logger.ts';
import { createLaneMetrics } from './lane-metrics.ts';
import { knowsCommand, pushToLane } from './lane-push.ts';
import type { CommandOfClient, LanePush, Pushed } from './lane-push.ts';

/** Longest delay of a timer, milliseconds: one day. */
export const timerDelayMsMax = 86_400_000;

export interface LaneProducer<Q extends LaneQueueName> extends AsyncDisposable {
  /**
   * Appends a command to its lane; when it resolves, Redis holds the command and a worker will step it.
   *
   * Commands of one caller keep their order when each push is awaited. Throws a Rejection: `combat/busy` (combat) or
   * `server/busy` (chat) when the lane is full, `payload/invalid` when the command id was used with another payload within
   * 10 minutes, `payload/too-large` above 16 KiB, `server/unavailable` when Redis did not answer: it may then hold the
   * command all the same, so repeat under the same command id. A push without `command` may be doubled by a cut connection.
   */
  push<K extends LaneKindOf<Q>, Answer extends object>(push: LanePush<K, Answer>): Promise<Pushed<Answer>>;
  /**
   * Whether a command with this id and this payload was pushed within 10 minutes: pushed again it gets the same answer, whatever has become untrue since.
   * Throws `server/unavailable` when Redis did not answer.
   */
  knows(command: CommandOfClient): Promise<boolean>;
  /**
   * Pushes a command after `delayMs` (0 to one day), at least once. The same `id` waits only once; `id` is any text of 1 to
   * 512 bytes, such as `<combat>-<turn>`. Throws `server/unavailable` when Redis did not answer.
   */
  pushLater<K extends LaneKindOf<Q>>(timer: { key: string; kind: K; body: LaneBody<K>; delayMs: number; id: string }): Promise<void>;
  close(): Promise<void>;
}

export interface LaneProducerOptions<Q extends LaneQueueName> {
  /** A connection of role `queue`, which refuses at once while Redis is away; it stays the caller's. */
  readonly redis: Redis;
  readonly realm: RealmId;
  readonly queue: Q;
  readonly metrics?: Metrics;
  readonly logger?: LaneLogger;
}

/**
 * The side of a queue that puts commands in.
 *
 * @example
 * await using lanes = createLaneProducer({ redis, realm, queue: 'combat' });
 * await lanes.push({ key: combatId, kind: 'combat.timeout', body: { combatId, turn: 3 } });
 */
export function createLaneProducer<Q extends LaneQueueName>(options: LaneProducerOptions<Q>): LaneProducer<Q> {
  const { redis, realm, queue, logger = silentLogger } = options;
  const metrics = createLaneMetrics(options.metrics, queue);
  const doorbell = createDoorbell({ redis, prefix: keysOf(realm).queuePrefix, queue, logger, metrics });
  const context = { redis, realm, queue, doorbell, metrics, logger };
  const close = (): Promise<void> => doorbell.close();
  return {
    push: (push) => pushToLane(context, push),
    knows: (command) => knowsCommand(context, command),
    pushLater: async ({ key, kind, body, delayMs, id }) => {
      checkLaneKey(key);
      checkLaneKey(id);
      if (!(delayMs >= 0 && delayMs <= timerDelayMsMax)) throw new RangeError(`a timer runs for 0 to ${timerDelayMsMax} ms`);
      try {
        await doorbell.setTimer(id, { v: 1, key, kind, body }, Math.round(delayMs));
      } catch (cause) {
        throw new Rejection('server/unavailable', { cause });
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
