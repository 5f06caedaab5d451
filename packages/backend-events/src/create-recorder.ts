import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackendEventName } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { appendScript } from './append-script.ts';
import type { BackendEventsOptions } from './create-writer.ts';
import { type BackendEvent, encodeRecord } from './record.ts';

export interface RecorderOptions extends BackendEventsOptions {
  /** Told how many events were not written; with `unknown` some of them may have been. */
  readonly onDropped: (count: number, why: 'away' | 'overflow' | 'unknown') => void;
}

/** Tells backends what happens at a gateway: never waits, never throws, drops what it cannot write. */
export interface BackendEventRecorder {
  record<E extends BackendEventName>(this: void, event: BackendEvent<E>): void;
  /** Resolves when everything recorded so far is written or dropped, at the latest after `timeoutMs`. */
  flush(this: void, timeoutMs: number): Promise<void>;
}

const batchMax = 200;
/** Events that wait while one batch is under way; a frozen Redis keeps a batch for its command limit. */
const waitingMax = 5_000;
const resendTtlMs = 60_000;

/** For gateways: at most once, one call to Redis at a time with everything since the last one, in the order of recording. */
export function createBackendEventRecorder({ redis, realm, retentionMs, entriesMax, onDropped }: RecorderOptions): BackendEventRecorder {
  const keys = keysOf(realm);
  const waiting: string[] = [];
  let writing: Promise<void> | null = null;

  const send = async (batch: string[]): Promise<void> => {
    const count = batch.length / 2;
    if (redis.status !== 'ready') {
      onDropped(count, 'away');
      return;
    }
    // The connection sends a call again when its reply is cut off.
    const key = keys.emitted(`backend-${randomBytes(12).toString('base64url')}`);
    try {
      await appendScript.run(redis, [keys.backendEvents], [key, resendTtlMs, retentionMs, entriesMax, ...batch]);
    } catch {
      onDropped(count, 'unknown');
    }
  };
  const drain = async (): Promise<void> => {
    // Everything of the same turn goes in one batch.
    await Promise.resolve();
    while (waiting.length > 0) await send(waiting.splice(0, 2 * batchMax));
    writing = null;
  };
  return {
    record: (event) => {
      if (waiting.length >= 2 * waitingMax) return onDropped(1, 'overflow');
      waiting.push(event.type, encodeRecord(realm, event));
      writing ??= drain();
    },
    flush: async (timeoutMs) => {
      const limit = new AbortController();
      const late = delay(timeoutMs, undefined, { signal: limit.signal }).catch(() => undefined);
      await Promise.race([writing ?? Promise.resolve(), late]);
      limit.abort();
    },
  };
}
