/** Presence: who of those that one may know about is there. */
import * as v from 'valibot';

import { listOf } from './bounds.ts';
import { isUserId, userIdSchema } from './ids.ts';
import { presenceUserIdsMax } from './limits.ts';
import { characterStatuses } from './shapes.ts';

/** What one may know of another user; `offline` also for those of whom one may know nothing. */
export const presenceSchema = v.object({ online: v.boolean(), status: v.picklist([...characterStatuses, 'offline']) });
export type Presence = v.InferOutput<typeof presenceSchema>;

/**
 * Presence by user id. Build it with `Object.fromEntries`: an issuer may give a user the id `__proto__`, and an assignment
 * would lose that one. (Valibot's own `record` drops such keys.)
 */
const presenceByUserSchema = v.custom<Record<string, Presence>>(isPresenceByUser);

const watched = v.strictObject({ userIds: listOf(userIdSchema, presenceUserIdsMax) });
const users = v.object({ users: presenceByUserSchema });

export const presenceClientEvents = {
  'presence:watch': { payload: watched, answer: users },
  'presence:unwatch': { payload: watched, answer: users },
} as const;

export const presenceServerEvents = {
  'presence:changed': { schema: users, class: 'ephemeral' },
} as const;

function isPresenceByUser(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= presenceUserIdsMax && entries.every(([id, presence]) => isUserId(id) && v.is(presenceSchema, presence));
}
