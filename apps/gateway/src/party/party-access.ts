import { Rejection, type UserId } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { partyOf } from './party-of.ts';

/** Whoever is in a party. Commands do not ask here: what this gateway has heard may be old, and the script decides by what is. */
export function partyMembers({ session }: Call): void {
  if (partyOf(session) === null) throw new Rejection('party/none');
}

/** Not with oneself: whoever wants to go leaves. */
export function notOneself({ session }: Call, { userId }: { readonly userId: UserId }): void {
  if (userId === session.userId) throw new Rejection('payload/invalid', { path: 'userId' });
}
