import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { presenceByUser } from './watch-lists.ts';

/** Answers what the player may know of these users, and tells the session from now on when that changes. */
export async function onWatch({ realm, session }: Call, { userIds }: ClientPayload<'presence:watch'>): Promise<ClientAnswer<'presence:watch'>> {
  return { users: presenceByUser(await realm.presence.watch(session, userIds)) };
}
