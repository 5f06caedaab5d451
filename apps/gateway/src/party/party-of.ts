import { parseRoom, type PartyId } from '@skirmish/protocol';
import type { Session } from '../connection/session.ts';

/** The party that a session is in, as far as this gateway has heard; null when none. Nobody is in two: a join follows the leave before it. */
export function partyOf({ socket }: Pick<Session, 'socket'>): PartyId | null {
  let party: PartyId | null = null;
  for (const name of socket.rooms) {
    const room = name.startsWith('party:') ? parseRoom(name) : null;
    if (room) party = room.id as PartyId;
  }
  return party;
}

/** The name under which a player is shown in a party. */
export function nameOf({ player }: Pick<Session, 'player'>): string {
  return player.character?.name ?? player.name;
}
