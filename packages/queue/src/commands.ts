/** The one catalogue of lane commands: what a record holds, how often it is tried and how long a step may take. */
import {
  characterIdSchema,
  combatActionSchema,
  combatIdSchema,
  encounterIdSchema,
  guildIdSchema,
  messageIdSchema,
  partyIdSchema,
  userIdSchema,
  zoneIdSchema,
} from '@skirmish/protocol';
import type { RefusalCode } from '@skirmish/protocol';
import * as v from 'valibot';

/** Longest text of a stored message in UTF-8 bytes; the edge refuses longer ones long before. */
const textBytesMax = 2000;
const opponentsMax = 64;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const fighter = v.looseObject({ userId: userIdSchema, characterId: characterIdSchema });

// Loose on purpose: a field that only the next version knows must survive a worker of this version.
const start = v.looseObject({
  combatId: combatIdSchema,
  zoneId: zoneIdSchema,
  challenger: fighter,
  opponents: v.pipe(v.array(characterIdSchema), v.maxLength(opponentsMax)),
  encounterId: v.exactOptional(encounterIdSchema),
});

const act = v.looseObject({
  combatId: combatIdSchema,
  turn: count,
  userId: userIdSchema,
  characterId: characterIdSchema,
  action: v.object(combatActionSchema.entries),
});

const timeout = v.looseObject({ combatId: combatIdSchema, turn: count });

const channel = v.variant('kind', [
  v.object({ kind: v.literal('zone'), id: zoneIdSchema }),
  v.object({ kind: v.literal('guild'), id: guildIdSchema }),
  v.object({ kind: v.literal('party'), id: partyIdSchema }),
  v.object({ kind: v.literal('combat'), id: combatIdSchema }),
  v.object({ kind: v.literal('whisper'), id: userIdSchema }),
]);

const moderate = v.looseObject({
  messageId: messageIdSchema,
  channel,
  from: v.looseObject({ userId: userIdSchema, name: v.string() }),
  text: v.pipe(v.string(), v.maxBytes(textBytesMax)),
  sentAtMs: count,
});

/**
 * Limits of one kind: `triesMax` tries before the dead list, `backOffMs` between two tries, `stepTimeoutMs` for one run of
 * the step, `lengthMax` commands waiting in the lane when it is pushed.
 */
const limits = { triesMax: 3, backOffMs: 50, stepTimeoutMs: 4000 } as const;

export const laneCommands = {
  'combat.start': { queue: 'combat', body: start, ...limits, lengthMax: 200 },
  'combat.act': { queue: 'combat', body: act, ...limits, lengthMax: 200 },
  // Timers find room where players find none, or a fight under a flood would never end.
  'combat.timeout': { queue: 'combat', body: timeout, ...limits, lengthMax: 256 },
  'chat.moderate': { queue: 'chat', body: moderate, ...limits, lengthMax: 1000 },
} as const;

/** The queues, the refusal of a full lane, and how many given-up commands each remembers. */
export const laneQueues = {
  combat: { full: 'combat/busy', deadMax: 1000 },
  chat: { full: 'server/busy', deadMax: 1000 },
} as const satisfies Record<string, { full: RefusalCode; deadMax: number }>;

export type LaneQueueName = keyof typeof laneQueues;
export type LaneCommandKind = keyof typeof laneCommands;
export type LaneKindOf<Q extends LaneQueueName> = {
  [K in LaneCommandKind]: (typeof laneCommands)[K]['queue'] extends Q ? K : never;
}[LaneCommandKind];
export type LaneBody<K extends LaneCommandKind> = v.InferOutput<(typeof laneCommands)[K]['body']>;

/** True for a kind of the catalogue that belongs to this queue. */
export function isKindOf<Q extends LaneQueueName>(queue: Q, kind: unknown): kind is LaneKindOf<Q> {
  return typeof kind === 'string' && Object.hasOwn(laneCommands, kind) && laneCommands[kind as LaneCommandKind].queue === queue;
}

/**
 * One command at the head of its lane. `position` grows strictly within a lane and is never used twice, also after Redis
 * lost its data; `tries` counts this run, from 1. `commandId` is absent when the cluster itself pushed the command.
 */
export type LaneCommand<K extends LaneCommandKind = LaneCommandKind> = {
  [Kind in K]: {
    readonly queue: (typeof laneCommands)[Kind]['queue'];
    readonly key: string;
    readonly kind: Kind;
    readonly body: LaneBody<Kind>;
    readonly position: number;
    readonly pushedAtMs: number;
    readonly tries: number;
    readonly userId?: string;
    readonly commandId?: string;
  };
}[K];
