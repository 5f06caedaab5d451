import { isServerEventName, parseRoom, type RoomName, serverEvents, type ServerEventName, type ServerPayload } from '@skirmish/protocol';
import * as v from 'valibot';

/** An ephemeral event on its way to the members of a room on all gateways. */
export interface Ephemeral<E extends ServerEventName = ServerEventName> {
  readonly v: 1;
  readonly kind: 'event';
  readonly event: E;
  readonly payload: ServerPayload<E>;
  readonly exceptRooms: readonly RoomName[];
}

const ephemeralSchema = v.object({
  v: v.literal(1),
  kind: v.literal('event'),
  event: v.custom<ServerEventName>((name) => isServerEventName(name) && serverEvents[name].class === 'ephemeral'),
  payload: v.custom<object>((payload) => typeof payload === 'object' && payload !== null),
  exceptRooms: v.pipe(v.array(v.custom<RoomName>((room) => typeof room === 'string' && parseRoom(room) !== null)), v.maxLength(10)),
});

/** Reads an ephemeral event from a room's channel; null for anything else, never throws. */
export function parseEphemeral(body: unknown): Ephemeral | null {
  const result = v.safeParse(ephemeralSchema, body, { abortEarly: true });
  if (!result.success) return null;
  const payload = v.safeParse(serverEvents[result.output.event].schema, result.output.payload, { abortEarly: true });
  return payload.success ? { ...result.output, payload: payload.output } : null;
}

/** Wraps an ephemeral event for `volatile.publish`. */
export function ephemeral<E extends ServerEventName>(event: E, payload: ServerPayload<E>, exceptRooms: readonly RoomName[]): Ephemeral<E> {
  return { v: 1, kind: 'event', event, payload, exceptRooms };
}
