import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { nameOf } from './party-of.ts';

/** Invites a user, who need not be online; he hears of it in his own room. For leaders. */
export function onInvite({ realm, session }: Call, payload: ClientPayload<'party:invite'>): Promise<ClientAnswer<'party:invite'>> {
  return realm.parties.command('party:invite', payload, { op: 'invite', userId: session.userId, name: nameOf(session), target: payload.userId });
}
