import type { RealmId, RoomName, ServerEventName } from '@skirmish/protocol';
import { namespaceOf } from '@skirmish/protocol';
import { entryType } from './route-script.ts';
import type { Routed, RouterOptions } from './router.ts';
import { Router } from './router.ts';

/** A critical event of the contract, or one of a studio's own. */
export type EmittedEvent = ServerEventName | `app:${string}`;

export interface EmitTarget {
  /** Members of any of these rooms; at least one. */
  rooms: readonly RoomName[];
  /** Members of these rooms, or sockets with these ids, are left out. */
  except?: readonly string[];
}

export interface EmitOptions {
  /** 1–200 characters; the same key within 10 minutes emits once. */
  idempotencyKey?: string;
  /** For ordered sources: `seq` grows by emission; one at or below the last emitted is answered as repeated. Kept for a day. */
  lane?: { name: string; seq: number };
}

/**
 * Emits critical events and membership changes into one realm, from any process.
 *
 * Critical: one order for all members of a room on all gateways, kept in the room logs for the resume window.
 */
export interface Emitter {
  readonly realm: RealmId;
  /**
   * Sends one event with one object to the members of the rooms. Resolves when Redis holds it.
   * @throws TypeError when the payload cannot be written as JSON (BigInt, cycle), is no object, or is over 64 KiB of JSON.
   * @throws Rejection `server/unavailable`, `server/busy`
   */
  emit(this: void, target: EmitTarget, event: EmittedEvent, payload: object, options?: EmitOptions): Promise<Routed>;
  /** Lets the members of the target join rooms; an emission that begins afterwards reaches them there. */
  join(this: void, target: EmitTarget, rooms: readonly RoomName[], options?: EmitOptions): Promise<Routed>;
  /** Lets the members of the target leave rooms; what was emitted before still reaches them. */
  leave(this: void, target: EmitTarget, rooms: readonly RoomName[], options?: EmitOptions): Promise<Routed>;
  /** Lets the gateways of the members read anew what the database says about them. It needs a member that is here; mark the change first for all others. */
  reread(this: void, target: EmitTarget): Promise<Routed>;
  /** Closes the sockets of the target after telling them why with `session:closed`. They may connect anew. */
  disconnect(this: void, target: EmitTarget, reason: { code: string; message: string }, options?: EmitOptions): Promise<Routed>;
}

/** Settings of an emitter; `retryForMs` defaults to 15 s, for workers, whose job is lost time but not lost events. */
export interface EmitterOptions extends Omit<RouterOptions, 'retryForMs'> {
  retryForMs?: number;
}

const dataBytesMax = 65_536;

/**
 * @example
 * const emitter = createEmitter({ redis, realm });
 * await emitter.emit({ rooms: [roomOf.zone(zoneId)] }, 'chat:message', message, { idempotencyKey: message.messageId });
 */
export function createEmitter(options: EmitterOptions): Emitter {
  const { realm } = options;
  const router = new Router({ retryForMs: 15_000, ...options });
  const nsp = namespaceOf(realm);
  const optionsOf = (target: EmitTarget) => ({ rooms: target.rooms, except: target.except ?? [], flags: {} });
  const move = (type: '4' | '5', target: EmitTarget, rooms: readonly RoomName[], how: EmitOptions = {}): Promise<Routed> =>
    router.route({
      type,
      rooms: target.rooms,
      data: JSON.stringify({ opts: optionsOf(target), rooms }),
      logged: true,
      ...(type === entryType.join ? { joined: rooms } : {}),
      ...how,
    });
  return {
    realm,
    emit: async (target, event, payload, how = {}) => {
      const data = encodeBroadcast(nsp, event, payload, optionsOf(target));
      return router.route({ type: entryType.broadcast, rooms: target.rooms, data, logged: true, ...how });
    },
    join: (target, rooms, how) => move(entryType.join, target, rooms, how),
    leave: (target, rooms, how) => move(entryType.leave, target, rooms, how),
    // As a leave of no room: a gateway that does not know the mark does nothing.
    reread: (target) =>
      router.route({ type: entryType.leave, rooms: target.rooms, data: JSON.stringify({ opts: optionsOf(target), rooms: [], reread: true }), logged: false }),
    disconnect: (target, reason, how = {}) =>
      router.route({
        type: entryType.disconnect,
        rooms: target.rooms,
        data: JSON.stringify({ opts: optionsOf(target), close: true, reason }),
        logged: false,
        ...how,
      }),
  };
}

function encodeBroadcast(nsp: string, event: string, payload: object, opts: object): string {
  if (Array.isArray(payload) || Object.prototype.toString.call(payload) !== '[object Object]') {
    throw new TypeError(`${event}: an event carries exactly one object`);
  }
  const data = JSON.stringify({ packet: { type: 2, data: [event, payload], nsp }, opts });
  // UTF-16 length is at most the byte length; the exact count is only needed near the limit.
  if (data.length > dataBytesMax / 3 && Buffer.byteLength(data) > dataBytesMax) {
    throw new TypeError(`${event}: an event is at most ${dataBytesMax} bytes of JSON`);
  }
  return data;
}
