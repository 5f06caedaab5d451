import { createHash, randomBytes } from 'node:crypto';
import type { DeliveryClass } from '@skirmish/protocol';
import { appPayloadBytesMax, deliveryClassOf, isAppEventName, isServerEventName, parseServerPayload, Rejection } from '@skirmish/protocol';
import type { EmittedEvent } from './create-emitter.ts';

/** What a backend may do: `system` may also send built-in events and speak to everybody. */
export type ServiceRole = 'service' | 'system';

export interface ServiceEvent {
  readonly event: EmittedEvent;
  readonly payload: object;
  readonly class: 'critical' | 'ephemeral';
}

/** More nesting than this is no payload: encoders on the way recurse. */
const depthMax = 64;
const keyLengthMax = 200;

/**
 * Checks an event that a backend wants to send: `app:*` for everybody, built-in names for the role `system` and by their schema.
 * Throws `event/unknown`, `auth/forbidden`, `payload/too-large` (over 32 KiB of JSON), or `payload/invalid` with a path.
 */
export function checkServiceEvent(role: ServiceRole, event: unknown, payload: unknown, asked?: DeliveryClass): ServiceEvent {
  if (isAppEventName(event)) return { event, payload: plainObject(payload), class: carried(asked ?? 'critical') };
  if (!isServerEventName(event)) throw new Rejection('event/unknown', { path: 'event' });
  if (role !== 'system') throw new Rejection('auth/forbidden', { path: 'event' });
  const own = deliveryClassOf(event);
  if (asked !== undefined && asked !== own) throw new Rejection('payload/invalid', { path: 'class' });
  // By way of JSON: what cannot travel as JSON, binary for instance, does not pass the schema either.
  const plain = plainObject(payload);
  try {
    return { event, payload: parseServerPayload(event, plain), class: carried(own) };
  } catch (error) {
    if (error instanceof Rejection) throw error;
    const path = / at (\S+)$/.exec(error instanceof Error ? error.message : '')?.[1];
    throw new Rejection('payload/invalid', { path: path === undefined ? 'payload' : `payload.${path}` });
  }
}

/** The key under which an emission is made once: backends share no keys with each other, nor with the workers. */
export function serviceKey(scope: string, idempotencyKey: string | undefined): string {
  if (idempotencyKey === undefined) return `svc-${randomBytes(18).toString('base64url')}`;
  if (idempotencyKey === '' || idempotencyKey.length > keyLengthMax) throw new Rejection('payload/invalid', { path: 'idempotencyKey' });
  return `svc-${createHash('sha256').update(`${scope}\u0000${idempotencyKey}`).digest('base64url')}`;
}

/** Direct events belong to the gateway, and state is newest-wins per zone: neither is a backend's. */
function carried(asked: DeliveryClass): 'critical' | 'ephemeral' {
  if (asked === 'critical' || asked === 'ephemeral') return asked;
  throw new Rejection('payload/invalid', { path: 'class' });
}

function plainObject(payload: unknown): object {
  const text = encode(payload);
  // UTF-16 length is at most the byte length; the exact count is only needed near the limit.
  if (text.length > appPayloadBytesMax || Buffer.byteLength(text) > appPayloadBytesMax) throw new Rejection('payload/too-large', { path: 'payload' });
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !isWithin(value, depthMax)) {
    throw new Rejection('payload/invalid', { path: 'payload' });
  }
  return value;
}

function encode(payload: unknown): string {
  try {
    const text: unknown = JSON.stringify(payload);
    if (typeof text === 'string') return text;
  } catch {
    // A BigInt, a cycle, or deeper than the stack.
  }
  throw new Rejection('payload/invalid', { path: 'payload' });
}

function isWithin(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((each) => isWithin(each, depth - 1));
}
