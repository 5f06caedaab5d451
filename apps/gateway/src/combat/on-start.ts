import { randomUUIDv7 } from 'node:crypto';
import { type ClientAnswer, type ClientPayload, type CombatId, Rejection } from '@skirmish/protocol';
import { type CommandOfClient, payloadHash } from '@skirmish/queue';
import type { Call } from '../context.ts';

type Payload = ClientPayload<'combat:start'>;

/**
 * Who may begin a fight: a character, with others who are in the same zone now. Whoever repeats the command gets its answer, whoever has left since. Fights
 * of the world's own are not served so far.
 */
export async function withOpponentsHere(call: Call, payload: Payload): Promise<void> {
  const { realm, session } = call;
  const { character } = session.player;
  if (!character) throw new Rejection('character/not-found');
  if (!('opponents' in payload)) throw new Rejection('combat/invalid-target', { path: 'encounterId' });
  if (payload.opponents.includes(character.characterId)) throw new Rejection('combat/invalid-target', { path: 'opponents' });
  const present = await realm.transport.rosterHas(character.zone.id, payload.opponents);
  if (present.every(Boolean) || (await realm.lanes.combat.knows(commandOf(call, payload)))) return;
  throw new Rejection('combat/invalid-target', { path: 'opponents' });
}

/** Puts the beginning of a fight on a lane of its own. */
export async function onStart(call: Call, payload: Payload): Promise<ClientAnswer<'combat:start'>> {
  const { realm, session } = call;
  const { character } = session.player;
  if (!character || !('opponents' in payload)) throw new Rejection('combat/invalid-target');
  const { opponents } = payload;
  const { userId } = session;
  const combatId = randomUUIDv7() as string as CombatId;
  const { answer } = await realm.lanes.combat.push({
    key: combatId,
    kind: 'combat.start',
    body: { combatId, zoneId: character.zone.id, challenger: { userId, characterId: character.characterId }, opponents },
    command: { ...commandOf(call, payload), answer: { combatId } },
  });
  return answer ?? { combatId };
}

function commandOf({ session: { userId }, event }: Call, { commandId, opponents }: Extract<Payload, { opponents: unknown }>): CommandOfClient {
  return { userId, event, commandId, payloadHash: payloadHash({ opponents }) };
}
