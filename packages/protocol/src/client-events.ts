/** Every event that a client may send: its payload, and the data of its acknowledgement. */
import * as v from 'valibot';

import type { Acknowledgement } from './acknowledgement.ts';
import { characterClientEvents } from './character.ts';
import { chatClientEvents } from './chat.ts';
import { combatClientEvents } from './combat.ts';
import { firstMistake, wireOptions } from './mistakes.ts';
import { partyClientEvents } from './party.ts';
import { presenceClientEvents } from './presence.ts';
import { isRefusalCode } from './refusals.ts';
import { Rejection } from './rejection.ts';
import { sessionClientEvents } from './session.ts';
import { zoneClientEvents } from './zone.ts';

export const clientEvents = {
  ...sessionClientEvents,
  ...chatClientEvents,
  ...characterClientEvents,
  ...zoneClientEvents,
  ...combatClientEvents,
  ...partyClientEvents,
  ...presenceClientEvents,
} as const;

export type ClientEventName = keyof typeof clientEvents;

/** The payload as a handler gets it: parsed, ids branded. */
export type ClientPayload<E extends ClientEventName> = v.InferOutput<(typeof clientEvents)[E]['payload']>;

/** The payload as a client writes it: plain strings and numbers. */
export type ClientPayloadInput<E extends ClientEventName> = v.InferInput<(typeof clientEvents)[E]['payload']>;

/** The data of a successful acknowledgement. */
export type ClientAnswer<E extends ClientEventName> = v.InferOutput<(typeof clientEvents)[E]['answer']>;

/** For Socket.IO's type parameters: exactly one object per event, and an acknowledgement callback. */
export type ClientToServerEvents = {
  [E in ClientEventName]: (payload: ClientPayloadInput<E>, acknowledge?: (answer: Acknowledgement<ClientAnswer<E>>) => void) => void;
};

export const clientEventNames = Object.keys(clientEvents) as readonly ClientEventName[];

/** True for the name of an event that a client may send. */
export function isClientEventName(name: unknown): name is ClientEventName {
  return typeof name === 'string' && Object.hasOwn(clientEvents, name);
}

/**
 * The payload of an event as a valid value; throws a Rejection with the path of the first mistake, in most cases
 * `payload/invalid`. A schema's message that is a code of the catalogue is the code of the refusal. Nothing of the input
 * is kept in the error.
 */
export function parseClientPayload<E extends ClientEventName>(event: E, payload: unknown): ClientPayload<E> {
  const result = v.safeParse(clientEvents[event].payload, payload, wireOptions);
  if (result.success) return result.output;
  const { message, path } = firstMistake(result.issues[0]);
  throw new Rejection(isRefusalCode(message) ? message : 'payload/invalid', path === '' ? {} : { path });
}
