import { type ClientAnswer, type ClientPayload, Rejection, type RefusalCode } from '@skirmish/protocol';
import { emitDirect } from '../connection/redis-adapter.ts';
import type { Call } from '../context.ts';
import { claimantOf } from '../zone/claimant.ts';

/** Moves the own character; what is refused is corrected as well, so that the client shows the truth again. */
export function onMove({ realm, session }: Call, move: ClientPayload<'character:move'>): ClientAnswer<'character:move'> {
  const claimant = claimantOf(session);
  const zone = session.player.character ? realm.zones.of(session.player.character.zone.id) : null;
  if (!claimant || !zone) throw new Rejection('character/not-found');
  const decision = zone.move(claimant, move, Date.now());
  switch (decision.kind) {
    case 'accepted':
      return {};
    case 'outdated':
    case 'stale':
      throw correct('character/stale');
    case 'corrected':
      throw correct(decision.code);
  }

  function correct(code: RefusalCode): Rejection {
    const place = claimant && zone?.positionOf(claimant.character.characterId);
    if (place) emitDirect(session.socket, 'character:corrected', { seq: move.seq, ...place, code });
    return new Rejection(code);
  }
}
