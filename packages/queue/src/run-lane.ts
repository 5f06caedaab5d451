import { randomUUID } from 'node:crypto';

import { laneQueues } from './commands.ts';
import type { LaneQueueName } from './commands.ts';
import { nextScript } from './lane-scripts.ts';
import type { NextReply } from './lane-scripts.ts';
import { runHead } from './run-head.ts';
import type { LaneRunner } from './run-head.ts';

/** Commands of one lane that are stepped before the other lanes get their turn. */
const commandsPerRing = 32;
/** How long the last position of an empty lane is remembered. */
const idleStateTtlMs = 600_000;

/** `again`: ring once more; `wait`: come back to the same head after `delayMs`. */
export type LaneTurn = { end: 'empty' } | { end: 'again' } | { end: 'wait'; delayMs: number };

/** Steps the commands of one lane in order, at most 32, and pops each by comparing the head. Rejects only when Redis does. */
export async function runLane<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  key: string,
  { outer, returns }: { outer: AbortSignal | undefined; returns: number },
): Promise<LaneTurn> {
  let finished = { record: '', deadEntry: '' };
  for (let handled = 0; ; handled += 1) {
    const attempt = randomUUID();
    const wanted = handled < commandsPerRing && !runner.stopping() && outer?.aborted !== true;
    const next = await takeNext(runner, key, finished, attempt, wanted);
    if (next.outcome === 'empty') return { end: 'empty' };
    if (next.outcome === 'lost') runner.metrics.lost();
    if (next.outcome !== 'head') return { end: 'again' };
    const { record, tries } = next;
    const verdict = await runHead(runner, { key, record, tries, attempt, returns, outer });
    if (!verdict.pop) return { end: 'wait', delayMs: verdict.delayMs };
    finished = { record, deadEntry: verdict.deadEntry };
  }
}

function takeNext<Q extends LaneQueueName>(
  runner: LaneRunner<Q>,
  key: string,
  { record, deadEntry }: { record: string; deadEntry: string },
  attempt: string,
  wanted: boolean,
): Promise<NextReply> {
  const { redis, keys, queue } = runner;
  const names = [keys.lane(queue, key), keys.laneState(queue, key), keys.lanes(queue), keys.laneDead(queue)];
  return nextScript.run(redis, names, [key, record, attempt, wanted ? 1 : 0, deadEntry, laneQueues[queue].deadMax, idleStateTtlMs]);
}
