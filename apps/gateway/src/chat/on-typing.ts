import { type ClientAnswer, type ClientPayload, roomOf, type ZoneId } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { ephemeral } from '../zone/ephemeral.ts';

/** Shows the others in the channel that someone is typing; may be lost, never waits. */
export function onTyping({ realm, session }: Call, { channel }: ClientPayload<'chat:typing'>): ClientAnswer<'chat:typing'> {
  const { userId } = session;
  const body = ephemeral('chat:typing', { channel, userId }, [roomOf.user(userId)]);
  realm.transport.volatile.publish(roomOf.zone(channel.id as ZoneId), body);
  return {};
}
