import type { RealmId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import type { Redis } from '@skirmish/redis';
import * as v from 'valibot';

import type { LaneQueueName } from './commands.ts';

/** `rule-error`: the step threw each time; `process-death`: the process died in it; `unreadable`: no version could read it. */
export type DeadReason = 'rule-error' | 'process-death' | 'unreadable';

const errorLengthMax = 500;

const entrySchema = v.object({
  v: v.number(),
  key: v.string(),
  record: v.string(),
  tries: v.number(),
  reason: v.picklist(['rule-error', 'process-death', 'unreadable']),
  error: v.string(),
  deadAtMs: v.number(),
});

/** A command that was given up, with its record as it was in the lane. */
export type DeadCommand = v.InferOutput<typeof entrySchema>;

export function deadEntryOf(o: { key: string; record: string; tries: number; reason: DeadReason; error: Error }): string {
  const error = `${o.error.name}: ${o.error.message}`.slice(0, errorLengthMax).toWellFormed();
  return JSON.stringify({ v: 1, key: o.key, record: o.record, tries: o.tries, reason: o.reason, error, deadAtMs: Date.now() });
}

/** The newest given-up commands of a queue, newest first; at most `limit`, and never more than the list keeps (1,000). */
export async function readDeadCommands(o: { redis: Redis; realm: RealmId; queue: LaneQueueName; limit: number }): Promise<DeadCommand[]> {
  if (o.limit <= 0) return [];
  const entries = await o.redis.lrange(keysOf(o.realm).laneDead(o.queue), 0, o.limit - 1);
  return entries.flatMap((entry) => {
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), entrySchema), entry);
    return parsed.success ? [parsed.output] : [];
  });
}
