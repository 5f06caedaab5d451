import { parseRoom, type PartyId, Rejection, type UserId } from '@skirmish/protocol';
import type { Session } from '../connection/session.ts';
import type { Call } from '../context.ts';

/** The party that a session is in, as far as this gateway has heard; null when none. Nobody is in two: a join follows the leave before it. */
export function partyOf({ socket }: Pick<Session, 'socket'>): PartyId | null {
  let party: PartyId | null = null;
  for (const name of socket.rooms) {
    const room = name.startsWith('party:') ? parseRoom(name) : null;
    if (room) party = room.id as PartyId;
  }
  return party;
}

/** Whoever is in a party. Commands do not ask here: what this gateway has heard may be old, and the script decides by what is. */
export function partyMembers({ session }: Call): void {
  if (partyOf(session) === null) throw new Rejection('party/none');
}

/** Not with oneself: whoever wants to go leaves. */
export function notOneself({ session }: Call, { userId }: { readonly userId: UserId }): void {
  if (userId === session.userId) throw new Rejection('payload/invalid', { path: 'userId' });
}

/** The name under which a player is shown in a party. */
export function nameOf({ player }: Pick<Session, 'player'>): string {
  return player.character?.name ?? player.name;
}
