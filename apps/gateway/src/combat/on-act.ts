import { type ClientAnswer, type ClientPayload, Rejection, roomOf } from '@skirmish/protocol';
import { payloadHash } from '@skirmish/queue';
import type { Call } from '../context.ts';

type Payload = ClientPayload<'combat:act'>;

/** Who may act: those whom the worker let into the room of the fight. */
export function participants({ session }: Call, { combatId }: Payload): void {
  if (!session.socket.rooms.has(roomOf.combat(combatId))) throw new Rejection('combat/not-participant');
}

/** Puts an action on the lane of its fight; turn, target and ability are the worker's to judge. */
export async function onAct({ realm, session, event }: Call, payload: Payload): Promise<ClientAnswer<'combat:act'>> {
  const { character } = session.player;
  if (!character) throw new Rejection('character/not-found');
  const { commandId, combatId, turn, action } = payload;
  const { userId } = session;
  await realm.lanes.combat.push({
    key: combatId,
    kind: 'combat.act',
    body: { combatId, turn, userId, characterId: character.characterId, action },
    command: { userId, event, commandId, payloadHash: payloadHash({ combatId, turn, action }), answer: { accepted: true } },
  });
  return { accepted: true };
}
