import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { presenceByUser } from './watch-lists.ts';

/** Tells the session no more of these users; the answer is what it was told last. Never touches Redis. */
export function onUnwatch({ realm, session }: Call, { userIds }: ClientPayload<'presence:unwatch'>): ClientAnswer<'presence:unwatch'> {
  return { users: presenceByUser(realm.presence.unwatch(session, userIds)) };
}
