import type { ClientAnswer, ClientEventName, ClientPayload, Rate } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/**
 * How the gateway answers one event. The schema of the payload is the one of the same name in the protocol.
 *
 * `in-turn` events of one socket are handled one after the other, in the order of their arrival, because they end on a lane;
 * `at-once` events never wait for them, so that a ping is answered while Redis is away.
 */
export interface EventRow<E extends ClientEventName> {
  readonly limit: Rate;
  readonly order: 'in-turn' | 'at-once';
  /** Throws a Rejection when the player may not do this now. */
  readonly may: (call: Call, payload: ClientPayload<E>) => void | Promise<void>;
  readonly handle: (call: Call, payload: ClientPayload<E>) => ClientAnswer<E> | Promise<ClientAnswer<E>>;
}

/** For events that every connected player may send. */
export function anyone(): void {
  // The connection was authenticated; nothing else is needed.
}

/**
 * For events whose rule needs state that others change at the same moment: the script that makes the change, or reads the answer, decides in the same
 * step, and refuses.
 */
export function decidedWithTheEffect(): void {
  // Asked before the effect, the answer could be outdated by then.
}
