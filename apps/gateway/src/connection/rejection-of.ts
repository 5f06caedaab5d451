import { toRejection } from '@skirmish/database';
import { Rejection } from '@skirmish/protocol';

/** What the Redis client says while the server is away, frozen, or not able to answer yet. */
const awayMessages = ["Stream isn't writeable", 'Connection is closed', 'Command timed out', 'Socket timeout', 'Redis does not answer'];
const awayReplies = /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|BUSY|NOREPLICAS)\b/;

/** What a client may hear of an error below a handler; the error itself is the `cause`. Never throws. */
export function rejectionOf(error: unknown): Rejection {
  return isRedisAway(error) ? new Rejection('server/unavailable', { cause: error }) : toRejection(error);
}

/** The same for work under way: whatever it throws becomes a Rejection. */
export async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw rejectionOf(error);
  }
}

function isRedisAway(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof Rejection) return false;
  return awayMessages.some((message) => error.message.startsWith(message)) || awayReplies.test(error.message);
}
