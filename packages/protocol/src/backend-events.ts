/** What a studio's backends hear of the realm: the records of the stream `backend-events` and the bodies of webhooks. */
import * as v from 'valibot';

import { epochMs, integer, listOf, sentence, token } from './bounds.ts';
import { channelSchema } from './chat.ts';
import { combatEndedSchema } from './combat-events.ts';
import { characterIdSchema, combatIdSchema, incarnationIdSchema, messageIdSchema, realmIdSchema, userIdSchema, zoneIdSchema } from './ids.ts';
import { combatantsMax, reasonLengthMax } from './limits.ts';
import { sanctionKinds } from './moderation.ts';
import { refusalCodes } from './refusals.ts';

/** Why a socket is gone: `left` and `closed` are wishes of the client and of the server, `lost` is the network, `gateway-lost` its gateway. */
export const disconnectReasons = ['left', 'closed', 'lost', 'gateway-lost'] as const;
export type DisconnectReason = (typeof disconnectReasons)[number];

const socketId = token(64, /^[A-Za-z0-9_-]+$/);
const person = { userId: userIdSchema, characterId: v.nullable(characterIdSchema) };
const socket = { ...person, socketId, gateway: incarnationIdSchema };

/** The `data` of each backend event. */
export const backendEvents = {
  'user.connected': v.object({ ...socket, recovered: v.boolean() }),
  'user.disconnected': v.object({ ...socket, reason: v.picklist(disconnectReasons) }),
  'zone.entered': v.object({ userId: userIdSchema, characterId: characterIdSchema, zoneId: zoneIdSchema, fromZoneId: v.nullable(zoneIdSchema) }),
  'combat.ended': v.object({
    combatId: combatIdSchema,
    outcome: combatEndedSchema.entries.outcome,
    winners: combatEndedSchema.entries.winners,
    rewards: combatEndedSchema.entries.rewards,
    userIds: listOf(userIdSchema, combatantsMax),
  }),
  'message.refused': v.object({ messageId: messageIdSchema, channel: channelSchema, userId: userIdSchema, code: v.picklist(refusalCodes) }),
  'sanction.set': v.object({ userId: userIdSchema, kind: v.picklist(sanctionKinds), reason: sentence(reasonLengthMax), untilMs: v.exactOptional(epochMs) }),
} as const;

export type BackendEventName = keyof typeof backendEvents;
export type BackendEventData<E extends BackendEventName> = v.InferOutput<(typeof backendEvents)[E]>;

/** One entry of the stream, and the body of one webhook. */
export interface BackendRecord<E extends BackendEventName = BackendEventName> {
  /** Version of the record: fields are added without a new one. */
  readonly v: 1;
  /** The same however often the event is told. */
  readonly id: string;
  readonly type: E;
  readonly atMs: number;
  readonly realm: string;
  readonly data: BackendEventData<E>;
}

export const backendEventNames = Object.keys(backendEvents) as readonly BackendEventName[];

/** What every record has; `data` is that of its `type`. Ids have no full stop, because signatures of webhooks are divided by it. */
export const backendRecordSchema = v.object({
  v: integer(1, 1),
  id: token(128, /^[A-Za-z0-9_#-]+$/),
  type: v.picklist(backendEventNames),
  atMs: epochMs,
  realm: realmIdSchema,
});

/** Reads a record; null when it is none of this version. Unknown fields are dropped. */
export function parseBackendRecord(value: unknown): BackendRecord | null {
  const head = v.safeParse(backendRecordSchema, value);
  if (!head.success) return null;
  const data = v.safeParse(backendEvents[head.output.type], (value as { data?: unknown }).data);
  return data.success ? ({ ...head.output, data: data.output } as BackendRecord) : null;
}
