import type { Refusal } from './acknowledgement.ts';
import { type RefusalCode, refusals } from './refusals.ts';

export interface RejectionDetails {
  /** Which field of the payload, in dots. */
  readonly path?: string;
  readonly retryAfterMs?: number;
  /** Replaces the sentence of the catalogue; must not contain anything that a client sent. */
  readonly message?: string;
  /** For the log only; never sent. */
  readonly cause?: unknown;
}

/** A refusal on its way through our code: `throw new Rejection('combat/not-your-turn')`. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly code: RefusalCode;
  readonly path?: string;
  readonly retryAfterMs?: number;

  constructor(code: RefusalCode, details: RejectionDetails = {}) {
    super(details.message ?? refusals[code].message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    if (details.path !== undefined) this.path = details.path;
    const retryAfterMs = details.retryAfterMs ?? refusals[code].retryAfterMs;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }

  /** What the client is told; the cause stays here. */
  toRefusal(): Refusal {
    return {
      code: this.code,
      message: this.message,
      retry: refusals[this.code].retry,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.path === undefined ? {} : { path: this.path }),
    };
  }
}
