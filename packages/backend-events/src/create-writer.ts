import { type BackendEventName, type RealmId, Rejection } from '@skirmish/protocol';
import { keysOf, type Redis } from '@skirmish/redis';
import { appendScript } from './append-script.ts';
import { type BackendEvent, encodeRecord } from './record.ts';

export interface BackendEventsOptions {
  readonly redis: Redis;
  readonly realm: RealmId;
  /** How long the stream keeps an event, milliseconds. */
  readonly retentionMs: number;
  /** How many events it keeps at most (about: it is cut in blocks of up to 100). */
  readonly entriesMax: number;
}

/** Tells backends what a worker decided. */
export interface BackendEventWriter {
  /**
   * Resolves when Redis holds the event; one with the same id within 10 minutes is written once.
   * @throws Rejection `server/unavailable`: it may have been written; the step that is repeated writes it under the same id.
   */
  write<E extends BackendEventName>(this: void, event: BackendEvent<E>): Promise<void>;
}

const doneTtlMs = 600_000;

/** For workers: at least once, because a step of a lane is repeated until this resolves. */
export function createBackendEventWriter({ redis, realm, retentionMs, entriesMax }: BackendEventsOptions): BackendEventWriter {
  const keys = keysOf(realm);
  return {
    write: async (event) => {
      const record = encodeRecord(realm, event);
      try {
        await appendScript.run(redis, [keys.backendEvents], [keys.emitted(`backend-${event.id}`), doneTtlMs, retentionMs, entriesMax, event.type, record]);
      } catch (cause) {
        throw new Rejection('server/unavailable', { cause });
      }
    },
  };
}
