import { randomUUIDv7 } from 'node:crypto';
import type { ClientAnswer, ClientPayload, MessageId } from '@skirmish/protocol';
import { type CommandOfClient, payloadHash } from '@skirmish/queue';
import type { Call } from '../context.ts';
import { unmutedMembers } from './channel-access.ts';
import { chatLaneOf } from './lane-key.ts';

type Payload = ClientPayload<'chat:send'>;

/** Who may say something: whoever is in the channel and not muted. Whoever repeats a message gets its answer, whatever has become of both since. */
export async function speakers(call: Call, payload: Payload): Promise<void> {
  try {
    unmutedMembers(call, payload);
  } catch (refusal) {
    if (!(await call.realm.lanes.chat.knows(commandOf(call, payload)))) throw refusal;
  }
}

/** Puts a message on the lane of its channel; accepted means that a worker will moderate it, not that it was shown. */
export async function onSend(call: Call, payload: Payload): Promise<ClientAnswer<'chat:send'>> {
  const { realm, session } = call;
  const { channel, text } = payload;
  const messageId = randomUUIDv7() as MessageId;
  const { userId, player } = session;
  const { answer } = await realm.lanes.chat.push({
    key: chatLaneOf(channel),
    kind: 'chat.moderate',
    body: { messageId, channel, from: { userId, name: player.character?.name ?? player.name }, text, sentAtMs: Date.now() },
    command: { ...commandOf(call, payload), answer: { messageId } },
  });
  return answer ?? { messageId };
}

function commandOf({ session: { userId }, event }: Call, { commandId, channel, text }: Payload): CommandOfClient {
  return { userId, event, commandId, payloadHash: payloadHash({ channel, text }) };
}
