import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Leaves the own party; the last one dissolves it. */
export function onLeave({ realm, session }: Call, payload: ClientPayload<'party:leave'>): Promise<ClientAnswer<'party:leave'>> {
  return realm.parties.command('party:leave', payload, { op: 'leave', userId: session.userId });
}
