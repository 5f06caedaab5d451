/** Every event that a client may receive: its payload and its delivery class. */
import * as v from 'valibot';

import { characterServerEvents } from './character.ts';
import { chatServerEvents } from './chat.ts';
import { combatServerEvents } from './combat.ts';
import { guildServerEvents } from './guild.ts';
import { appEventNameLengthMax } from './limits.ts';
import { firstMistake, wireOptions } from './mistakes.ts';
import { moderationServerEvents } from './moderation.ts';
import { partyServerEvents } from './party.ts';
import { presenceServerEvents } from './presence.ts';
import { sessionServerEvents } from './session.ts';
import { zoneServerEvents } from './zone.ts';

export const deliveryClasses = ['critical', 'direct', 'state', 'ephemeral'] as const;
export type DeliveryClass = (typeof deliveryClasses)[number];

export const serverEvents = {
  ...sessionServerEvents,
  ...chatServerEvents,
  ...characterServerEvents,
  ...zoneServerEvents,
  ...combatServerEvents,
  ...partyServerEvents,
  ...guildServerEvents,
  ...presenceServerEvents,
  ...moderationServerEvents,
} as const;

export type ServerEventName = keyof typeof serverEvents;

/** An event of a backend's own making. */
export type AppEventName = `app:${string}`;

/** The payload as a client gets it. */
export type ServerPayload<E extends ServerEventName> = v.InferOutput<(typeof serverEvents)[E]['schema']>;

/** The payload as whoever sends it writes it: ids may be plain strings. */
export type ServerPayloadInput<E extends ServerEventName> = v.InferInput<(typeof serverEvents)[E]['schema']>;

/** For Socket.IO's type parameters on the sending side: exactly one object per event, never a trailing string. */
export type ServerToClientEvents = { [E in ServerEventName]: (payload: ServerPayload<E>) => void } & Record<AppEventName, (payload: object) => void>;

/** For Socket.IO's type parameters on the receiving side: critical events bring their position as a second argument. */
export type ReceivedServerEvents = { [E in ServerEventName]: (payload: ServerPayload<E>, position?: string) => void } & Record<AppEventName, (payload: object, position?: string) => void>;

export const serverEventNames = Object.keys(serverEvents) as readonly ServerEventName[];

const appEventName = /^app:[A-Za-z0-9_.:-]+$/;

/** True for `app:` and a name of letters, digits and `_.:-`, 64 characters together at most. */
export function isAppEventName(name: unknown): name is AppEventName {
  return typeof name === 'string' && name.length <= appEventNameLengthMax && appEventName.test(name);
}

/** True for the name of a built-in event that a client may receive. */
export function isServerEventName(name: unknown): name is ServerEventName {
  return typeof name === 'string' && Object.hasOwn(serverEvents, name);
}

/** The delivery class of an event; `critical` for those of backends, unless they say otherwise. */
export function deliveryClassOf(name: ServerEventName | AppEventName): DeliveryClass {
  return isServerEventName(name) ? serverEvents[name].class : 'critical';
}

/**
 * The payload of a built-in event as a valid value, without fields that this version does not know; throws a TypeError that
 * names the event and the path of the first mistake, never the payload.
 */
export function parseServerPayload<E extends ServerEventName>(event: E, payload: unknown): ServerPayload<E> {
  const result = v.safeParse(serverEvents[event].schema, payload, wireOptions);
  if (result.success) return result.output;
  const path = firstMistake(result.issues[0]).path;
  throw new TypeError(path === '' ? `${event}: wrong form` : `${event}: wrong form at ${path}`);
}
