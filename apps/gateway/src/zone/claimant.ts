import type { Session } from '../connection/session.ts';
import type { Claimant } from './zone-state.ts';

/** A session as the one that wants to control its character; null for a user without a character. */
export function claimantOf({ socketId, connectedAtMs, userId, player, status }: Session): Claimant | null {
  if (!player.character) return null;
  const { characterId, name, x, y, facing } = player.character;
  return { socketId, connectedAtMs, character: { characterId, userId, name, x, y, facing, status } };
}
