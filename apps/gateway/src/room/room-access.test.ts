import type { Player } from '@skirmish/database';
import { type PartyId, roomOf, type UserId } from '@skirmish/protocol';
import { expect, it } from 'vitest';
import { mayBeIn, roomsOf, standingIn } from './room-access.ts';

const player: Player = { userId: 'p1' as UserId, name: 'Player 1', roles: [], ban: null, mute: null, tokensValidFromMs: null, character: null, guild: null, combats: [], mail: [] };
const [own, other] = ['pt_own', 'pt_other'] as PartyId[] as [PartyId, PartyId];

it('[PTY4] the own party is the only one that a player belongs in', () => {
  expect([mayBeIn(player, own, roomOf.party(own)), mayBeIn(player, own, roomOf.party(other)), mayBeIn(player, null, roomOf.party(other))]).toEqual([true, false, false]);
  expect(roomsOf(player, own)).toContain(roomOf.party(own));
  expect(roomsOf(player)).toEqual([roomOf.realm, roomOf.user(player.userId)]);
});

it('a session that comes back stays in its party, but of an earlier one only the ended stays are its own', () => {
  expect([standingIn(player, own, roomOf.party(own)), standingIn(player, own, roomOf.party(other))]).toEqual(['member', 'past']);
  // Left by the emission that says so.
  expect(standingIn(player, null, roomOf.party(other))).toBe('member');
});
