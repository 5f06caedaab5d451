import { Rejection } from '@skirmish/protocol';
import { rejectionOf } from '../connection/rejection-of.ts';

/** What the caller of a request is told of an error: also of what Express says about bodies and addresses that it could not read. */
export function httpRejectionOf(error: unknown): Rejection {
  if (!(error instanceof Error) || error instanceof Rejection || !('status' in error)) return rejectionOf(error);
  if (error.status === 413) return new Rejection('payload/too-large');
  return typeof error.status === 'number' && error.status < 500 ? new Rejection('payload/invalid') : rejectionOf(error);
}
