import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { nameOf } from './party-of.ts';

/** Joins the party that has invited; whoever is in another one leaves that in the same step. */
export function onAccept({ realm, session }: Call, payload: ClientPayload<'party:accept'>): Promise<ClientAnswer<'party:accept'>> {
  return realm.parties.command('party:accept', payload, { op: 'accept', userId: session.userId, name: nameOf(session), partyId: payload.partyId });
}
