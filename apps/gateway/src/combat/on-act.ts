import { type ClientAnswer, type ClientPayload, Rejection, roomOf } from '@skirmish/protocol';
import { type CommandOfClient, payloadHash } from '@skirmish/queue';
import type { Call } from '../context.ts';

type Payload = ClientPayload<'combat:act'>;

/** Who may act: those whom the worker let into the room of the fight. Whoever repeats an action gets its answer, also after the fight. */
export async function participants(call: Call, payload: Payload): Promise<void> {
  if (call.session.socket.rooms.has(roomOf.combat(payload.combatId))) return;
  if (!(await call.realm.lanes.combat.knows(commandOf(call, payload)))) throw new Rejection('combat/not-participant');
}

/** Puts an action on the lane of its fight; turn, target and ability are the worker's to judge. */
export async function onAct(call: Call, payload: Payload): Promise<ClientAnswer<'combat:act'>> {
  const { realm, session } = call;
  const { character } = session.player;
  if (!character) throw new Rejection('character/not-found');
  const { combatId, turn, action } = payload;
  const { userId } = session;
  await realm.lanes.combat.push({
    key: combatId,
    kind: 'combat.act',
    body: { combatId, turn, userId, characterId: character.characterId, action },
    command: { ...commandOf(call, payload), answer: { accepted: true } },
  });
  return { accepted: true };
}

function commandOf({ session: { userId }, event }: Call, { commandId, combatId, turn, action }: Payload): CommandOfClient {
  return { userId, event, commandId, payloadHash: payloadHash({ combatId, turn, action }) };
}
