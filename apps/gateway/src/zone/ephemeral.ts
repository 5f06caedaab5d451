import { type AppEventName, isAppEventName, isServerEventName, parseRoom, type RoomName, serverEvents, type ServerEventName, type ServerPayload } from '@skirmish/protocol';
import * as v from 'valibot';

/** An ephemeral event on its way to the members of a room on all gateways. */
export interface Ephemeral<E extends ServerEventName | AppEventName = ServerEventName | AppEventName> {
  readonly v: 1;
  readonly kind: 'event';
  readonly event: E;
  readonly payload: E extends ServerEventName ? ServerPayload<E> : object;
  readonly exceptRooms: readonly RoomName[];
}

const ephemeralSchema = v.object({
  v: v.literal(1),
  kind: v.literal('event'),
  event: v.custom<ServerEventName | AppEventName>((name) => isAppEventName(name) || (isServerEventName(name) && serverEvents[name].class === 'ephemeral')),
  payload: v.custom<object>((payload) => typeof payload === 'object' && payload !== null && !Array.isArray(payload)),
  exceptRooms: v.pipe(v.array(v.custom<RoomName>((room) => typeof room === 'string' && parseRoom(room) !== null)), v.maxLength(10)),
});

/** Reads an ephemeral event from a room's channel, with the bytes that came beside it; null for anything else, never throws. */
export function parseEphemeral(body: unknown, bytes: Uint8Array | null = null): Ephemeral | null {
  const result = v.safeParse(ephemeralSchema, body, { abortEarly: true });
  if (!result.success) return null;
  const { event } = result.output;
  if (!isServerEventName(event)) return result.output;
  const payload = v.safeParse(serverEvents[event].schema, bytes ? { ...result.output.payload, bytes } : result.output.payload, { abortEarly: true });
  return payload.success ? { ...result.output, event, payload: payload.output } : null;
}

/** Wraps an ephemeral event for `volatile.publish`. */
export function ephemeral<E extends ServerEventName>(event: E, payload: ServerPayload<E>, exceptRooms: readonly RoomName[]): Ephemeral {
  return { v: 1, kind: 'event', event, payload, exceptRooms };
}
