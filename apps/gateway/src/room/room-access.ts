import type { Player } from '@skirmish/database';
import type { Standing } from '../cluster/realm-transport-types.ts';
import { combatantsMax, parseRoom, type PartyId, partyMembersMax, type RoomKind, type RoomName, roomOf } from '@skirmish/protocol';

/** Whether a player, who is in this party, belongs in a room: decided from what the server knows, never from what a client says. */
export function mayBeIn(player: Player, party: PartyId | null, room: RoomName): boolean {
  const parsed = parseRoom(room);
  switch (parsed?.kind) {
    case 'realm':
      return true;
    case 'user':
      return parsed.id === player.userId;
    case 'zone':
      return parsed.id === player.character?.zone.id;
    case 'guild':
      return parsed.id === player.guild?.id;
    case 'combat':
      return player.combats.some((id) => id === parsed.id);
    case 'party':
      return parsed.id === party;
    // Spectators have no membership in this gateway yet.
    case 'combat-watch':
    case undefined:
      return false;
  }
}

/**
 * What a room of a session that comes back is to its player now. Guilds are permission: of one that the player has left meanwhile nothing is
 * said any more. A fight, a party and a fight that is watched are left by the emission that says so; until then the session stays in them. But a user is in
 * one party only.
 */
export function standingIn(player: Player, party: PartyId | null, room: RoomName): Standing {
  const parsed = parseRoom(room);
  switch (parsed?.kind) {
    case 'combat':
    case 'combat-watch':
      return 'member';
    case 'party':
      return party === null || parsed.id === party ? 'member' : 'past';
    case 'zone':
      return mayBeIn(player, party, room) ? 'member' : 'past';
    case 'realm':
    case 'user':
    case 'guild':
      return mayBeIn(player, party, room) ? 'member' : 'revoked';
    case undefined:
      return 'revoked';
  }
}

/** The rooms that a player is in from the first moment; that of the party is Redis's to say. */
export function roomsOf(player: Player, party: PartyId | null = null): RoomName[] {
  return [
    roomOf.realm,
    roomOf.user(player.userId),
    ...(player.character ? [roomOf.zone(player.character.zone.id)] : []),
    ...(player.guild ? [roomOf.guild(player.guild.id)] : []),
    ...(party === null ? [] : [roomOf.party(party)]),
    ...player.combats.map((id) => roomOf.combat(id)),
  ];
}

/** Most members of a room, or null where its members are bounded elsewhere. */
export function sizeMaxOf(player: Player, room: RoomName): number | null {
  switch (parseRoom(room)?.kind) {
    case 'zone':
      return player.character?.zone.capacity ?? null;
    case 'combat':
      return combatantsMax;
    case 'party':
      return partyMembersMax;
    // Sockets of a user are bounded where they connect.
    case 'user':
    case 'guild':
    case 'realm':
    case 'combat-watch':
    case undefined:
      return null;
  }
}

/** Rooms that a connection is in as long as it lasts: nobody leaves them. */
export const isOfConnection = (kind: RoomKind): boolean => kind === 'realm' || kind === 'user';
