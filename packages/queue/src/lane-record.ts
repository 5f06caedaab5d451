import * as v from 'valibot';

import { isKindOf, laneCommands } from './commands.ts';
import type { LaneCommand, LaneCommandKind, LaneKindOf, LaneQueueName } from './commands.ts';

/** Version that this code writes. It reads this one, the one before and the one after. */
export const recordVersion = 1;

/** Largest record in UTF-8 bytes. */
export const recordBytesMax = 16_384;

const envelope = v.object({
  v: v.pipe(v.number(), v.safeInteger(), v.minValue(recordVersion - 1), v.maxValue(recordVersion + 1)),
  kind: v.string(),
  key: v.string(),
  body: v.unknown(),
  position: v.pipe(v.number(), v.safeInteger()),
  pushedAtMs: v.pipe(v.number(), v.safeInteger()),
  userId: v.optional(v.string()),
  commandId: v.optional(v.string()),
});

/** What a push stores; the script appends `position` and `pushedAtMs`, which only Redis can draw, and the closing brace. */
export function openRecord(fields: { kind: LaneCommandKind; key: string; body: unknown; userId?: string; commandId?: string }): string {
  const { kind, key, body, userId, commandId } = fields;
  return JSON.stringify({ v: recordVersion, kind, key, userId, commandId, body }).slice(0, -1);
}

/** Why a record could not be read. It never holds the record's own text. */
export class UnreadableRecord extends Error {
  override readonly name = 'UnreadableRecord';
}

/** Reads one record of a lane; throws {@link UnreadableRecord}. */
export function readRecord<Q extends LaneQueueName>(queue: Q, raw: string, tries: number): LaneCommand<LaneKindOf<Q>> {
  const outer = v.safeParse(envelope, parseJson(raw));
  if (!outer.success) throw new UnreadableRecord(`the record is not one of version ${recordVersion}: ${pathOf(outer.issues)}`);
  const { kind, key, position, pushedAtMs, userId, commandId } = outer.output;
  if (!isKindOf(queue, kind)) throw new UnreadableRecord(`the queue ${queue} has no such kind of command`);
  const body = v.safeParse(laneCommands[kind].body, outer.output.body);
  if (!body.success) throw new UnreadableRecord(`the body is not one of ${kind}: ${pathOf(body.issues)}`);
  return {
    queue,
    kind,
    key,
    body: body.output,
    position,
    pushedAtMs,
    tries,
    ...(userId === undefined ? {} : { userId }),
    ...(commandId === undefined ? {} : { commandId }),
  } as unknown as LaneCommand<LaneKindOf<Q>>;
}

function parseJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}

function pathOf(issues: readonly v.BaseIssue<unknown>[]): string {
  const first = issues[0];
  return (first && v.getDotPath(first)) ?? 'not an object';
}
