import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Takes a member out of the party. For leaders. */
export function onKick({ realm, session }: Call, payload: ClientPayload<'party:kick'>): Promise<ClientAnswer<'party:kick'>> {
  return realm.parties.command('party:kick', payload, { op: 'kick', userId: session.userId, target: payload.userId });
}
