import { randomUUIDv7 } from 'node:crypto';
import { type ClientAnswer, type ClientPayload, type CombatId, Rejection } from '@skirmish/protocol';
import { payloadHash } from '@skirmish/queue';
import type { Call } from '../context.ts';

type Payload = ClientPayload<'combat:start'>;

/** Who may begin a fight: a character, with others who are in the same zone now. Fights of the world's own are not served so far. */
export async function withOpponentsHere({ realm, session }: Call, payload: Payload): Promise<void> {
  const { character } = session.player;
  if (!character) throw new Rejection('character/not-found');
  if (!('opponents' in payload)) throw new Rejection('combat/invalid-target', { path: 'encounterId' });
  if (payload.opponents.includes(character.characterId)) throw new Rejection('combat/invalid-target', { path: 'opponents' });
  const present = await realm.transport.rosterHas(character.zone.id, payload.opponents);
  if (!present.every(Boolean)) throw new Rejection('combat/invalid-target', { path: 'opponents' });
}

/** Puts the beginning of a fight on a lane of its own. */
export async function onStart({ realm, session, event }: Call, payload: Payload): Promise<ClientAnswer<'combat:start'>> {
  const { character } = session.player;
  if (!character || !('opponents' in payload)) throw new Rejection('combat/invalid-target');
  const { commandId, opponents } = payload;
  const { userId } = session;
  const combatId = randomUUIDv7() as string as CombatId;
  const { answer } = await realm.lanes.combat.push({
    key: combatId,
    kind: 'combat.start',
    body: { combatId, zoneId: character.zone.id, challenger: { userId, characterId: character.characterId }, opponents },
    command: { userId, event, commandId, payloadHash: payloadHash({ opponents }), answer: { combatId } },
  });
  return answer ?? { combatId };
}
