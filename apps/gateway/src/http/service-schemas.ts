import {
  appEventNameLengthMax,
  characterIdSchema,
  combatIdSchema,
  deliveryClasses,
  guildIdSchema,
  incarnationIdSchema,
  partyIdSchema,
  realmIdSchema,
  reasonLengthMax,
  userIdSchema,
  zoneIdSchema,
} from '@skirmish/protocol';
import * as v from 'valibot';

/** Where a realm is named: in the query, or in the body; the first one of the gateway otherwise. */
export const inRealm = { realm: v.exactOptional(realmIdSchema) } as const;

export const ofUser = v.strictObject({ id: userIdSchema });
export const ofZone = v.strictObject({ id: zoneIdSchema });
/** Of a room of any kind, as `session:welcome` names it; what is none is `room/not-found`. */
export const ofRoom = v.strictObject({ room: v.pipe(v.string(), v.maxLength(400)) });
export const nothingOf = v.strictObject({});

const targetSchema = v.union([
  v.strictObject({ user: userIdSchema }),
  v.strictObject({ zone: zoneIdSchema }),
  v.strictObject({ combat: combatIdSchema }),
  v.strictObject({ guild: guildIdSchema }),
  v.strictObject({ party: partyIdSchema }),
  v.strictObject({ all: v.literal(true) }),
]);

/** Any JSON object; `v.record` would leave out keys such as `constructor`. */
export const anyObject = v.custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));

export const emitBody = v.strictObject({
  to: targetSchema,
  event: v.pipe(v.string(), v.maxLength(appEventNameLengthMax)),
  payload: anyObject,
  class: v.exactOptional(v.picklist(deliveryClasses)),
  idempotencyKey: v.exactOptional(v.pipe(v.string(), v.minLength(1), v.maxLength(200))),
  ifOffline: v.exactOptional(v.picklist(['drop', 'mailbox'])),
  ...inRealm,
});

export const emitAnswer = v.strictObject({
  id: v.string(),
  outcome: v.picklist(['emitted', 'repeated', 'mailed']),
  dropped: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});

/** A line for people: well-formed text that Postgres takes. */
export const sentence = (lengthMax: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(lengthMax), v.check((text) => text.isWellFormed() && !text.includes('\u0000')));

export const disconnectBody = v.strictObject({ reason: v.pipe(v.string(), v.minLength(1), v.maxLength(reasonLengthMax)), ...inRealm });
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
export const disconnectAnswer = v.strictObject({ id: v.string(), sessions: count });

export const socketsAnswer = v.strictObject({
  sockets: v.array(v.strictObject({ socketId: v.string(), gateway: incarnationIdSchema, connectedAtMs: count, device: v.string() })),
});
export const onlineAnswer = v.strictObject({ online: v.boolean() });
export const populationAnswer = v.strictObject({ population: count });
export const membersQuery = v.strictObject({ cursor: v.exactOptional(v.pipe(v.string(), v.regex(/^\d{1,20}$/))), ...inRealm });
export const membersAnswer = v.strictObject({
  members: v.array(v.strictObject({ userId: userIdSchema, characterId: v.nullable(characterIdSchema) })),
  cursor: v.nullable(v.string()),
});
