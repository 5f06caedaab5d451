import type { BackendEventData, BackendEventName, BackendRecord, RealmId } from '@skirmish/protocol';

/** Far above what the schemas allow; a record over it is a mistake of ours. */
export const recordBytesMax = 32 * 1024;

/** An event before it has a realm and a version. `id` is made from what happened, so that telling it twice gives the same one. */
export interface BackendEvent<E extends BackendEventName = BackendEventName> {
  readonly type: E;
  readonly id: string;
  readonly data: BackendEventData<E>;
  /** Default: now. */
  readonly atMs?: number;
}

/** The JSON text of a record. @throws TypeError when it is over 32 KiB. */
export function encodeRecord<E extends BackendEventName>(realm: RealmId, { type, id, data, atMs = Date.now() }: BackendEvent<E>): string {
  const record: BackendRecord<E> = { v: 1, id, type, atMs, realm, data };
  const text = JSON.stringify(record);
  if (text.length > recordBytesMax / 3 && Buffer.byteLength(text) > recordBytesMax) throw new TypeError(`${type}: a record is at most ${recordBytesMax} bytes`);
  return text;
}
