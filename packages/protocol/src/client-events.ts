/** Every event that a client may send: its payload, and the data of its acknowledgement. */
import * as v from 'valibot';

import type { Acknowledgement } from './acknowledgement.ts';
import { characterClientEvents } from './character.ts';
import { chatClientEvents } from './chat.ts';
import { combatClientEvents } from './combat.ts';
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
 * `payload/invalid`. Nothing of the input is kept in the error.
 */
export function parseClientPayload<E extends ClientEventName>(event: E, payload: unknown): ClientPayload<E> {
  const result = v.safeParse(clientEvents[event].payload, payload, parseOptions);
  if (result.success) return result.output as ClientPayload<E>;
  throw rejectionOf(result.issues[0]);
}

const parseOptions = { abortEarly: true, abortPipeEarly: true } as const;

/** A schema's message that is a code of the catalogue is the code of the refusal. */
function rejectionOf(issue: v.BaseIssue<unknown>): Rejection {
  const deepest = deepestOf(issue);
  const path = pathOf(deepest);
  return new Rejection(isRefusalCode(deepest.message) ? deepest.message : 'payload/invalid', path === '' ? {} : { path });
}

/** Of the alternatives of a union, the mistake of the one that came furthest. */
function deepestOf(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  let deepest = issue;
  for (const alternative of issue.issues ?? []) {
    const candidate = deepestOf(alternative);
    if ((candidate.path?.length ?? 0) > (deepest.path?.length ?? 0)) deepest = candidate;
  }
  return deepest;
}

const ownKey = /^[A-Za-z][A-Za-z0-9]{0,39}$/;

/** The path in dots; a key that no schema can have named is the client's own and is shown as `?`. */
function pathOf(issue: v.BaseIssue<unknown>): string {
  return (issue.path ?? []).map(({ key }) => (typeof key === 'number' || (typeof key === 'string' && ownKey.test(key)) ? key : '?')).join('.');
}
