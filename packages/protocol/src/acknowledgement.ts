/** The envelope of every answer, over Socket.IO and over HTTP. */
import * as v from 'valibot';

import { integer, sentence } from './bounds.ts';
import { messageLengthMax } from './limits.ts';
import { type RefusalCode, refusalCodes, type Retry } from './refusals.ts';

/** A refusal as a client reads it. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  readonly retry: Retry;
  readonly retryAfterMs?: number;
  readonly path?: string;
}

export type Acknowledgement<T> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: Refusal };

/** A refusal read from the wire; unknown fields are dropped. */
export const refusalSchema = v.object({
  code: v.picklist(refusalCodes),
  message: sentence(messageLengthMax),
  retry: v.picklist(['never', 'later', 'now']),
  retryAfterMs: v.exactOptional(integer(0)),
  path: v.exactOptional(sentence(200)),
});

/** The envelope of a success. */
export const accepted = <T>(data: T): Acknowledgement<T> => ({ ok: true, data });

/** The envelope of a refusal. */
export const refused = (error: Refusal): Acknowledgement<never> => ({ ok: false, error });
