import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Makes another member the leader. For leaders. */
export function onPromote({ realm, session }: Call, payload: ClientPayload<'party:promote'>): Promise<ClientAnswer<'party:promote'>> {
  return realm.parties.command('party:promote', payload, { op: 'promote', userId: session.userId, target: payload.userId });
}
