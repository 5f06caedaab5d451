import { accepted, refusals, refused, type Rejection } from '@skirmish/protocol';
import type { Response } from 'express';

/** Answers a success in the acknowledgement envelope. */
export function answer(response: Response, data: unknown, status: 200 | 202 = 200): void {
  response.status(status).set('cache-control', 'no-store').json(accepted(data));
}

/** Answers a refusal in the envelope, with the status of the catalogue. */
export function refuse(response: Response, rejection: Rejection): void {
  const refusal = rejection.toRefusal();
  if (refusal.retryAfterMs !== undefined) response.set('retry-after', String(Math.ceil(refusal.retryAfterMs / 1000)));
  response.status(refusals[rejection.code].status).set('cache-control', 'no-store').json(refused(refusal));
}
