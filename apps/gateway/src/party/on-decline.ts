import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Gives an invitation back. */
export function onDecline({ realm, session }: Call, payload: ClientPayload<'party:decline'>): Promise<ClientAnswer<'party:decline'>> {
  return realm.parties.command('party:decline', payload, { op: 'decline', userId: session.userId, partyId: payload.partyId });
}
