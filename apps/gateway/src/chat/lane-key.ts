import { type Channel, escapeUserId } from '@skirmish/protocol';

/** The lane of a chat channel: what is said in it is moderated in the order of its arrival. */
export function chatLaneOf(channel: Channel): string {
  return `${channel.kind}:${channel.kind === 'whisper' ? escapeUserId(channel.id) : channel.id}`;
}
