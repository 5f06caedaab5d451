import { randomUUIDv7 } from 'node:crypto';
import type { ClientAnswer, ClientPayload, MessageId } from '@skirmish/protocol';
import { payloadHash } from '@skirmish/queue';
import type { Call } from '../context.ts';
import { chatLaneOf } from './lane-key.ts';

/** Puts a message on the lane of its channel; accepted means that a worker will moderate it, not that it was shown. */
export async function onSend({ realm, session, event }: Call, payload: ClientPayload<'chat:send'>): Promise<ClientAnswer<'chat:send'>> {
  const { commandId, channel, text } = payload;
  const messageId = randomUUIDv7() as MessageId;
  const { userId, player } = session;
  const { answer } = await realm.lanes.chat.push({
    key: chatLaneOf(channel),
    kind: 'chat.moderate',
    body: { messageId, channel, from: { userId, name: player.character?.name ?? player.name }, text, sentAtMs: Date.now() },
    command: { userId, event, commandId, payloadHash: payloadHash({ channel, text }), answer: { messageId } },
  });
  return answer ?? { messageId };
}
