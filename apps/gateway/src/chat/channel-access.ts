import { type ClientPayload, Rejection } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { isInForce } from '../moderation/is-in-force.ts';

type InChannel = Pick<ClientPayload<'chat:typing'>, 'channel'>;

/** Who may speak: members of the channel. Only the channel of the own zone is served so far. */
export function channelMembers({ session }: Call, { channel }: InChannel): void {
  const member = channel.kind === 'zone' && channel.id === session.player.character?.zone.id;
  if (!member) throw new Rejection('room/forbidden', { path: 'channel' });
}

/** Members who are not muted. */
export function unmutedMembers(call: Call, payload: InChannel): void {
  channelMembers(call, payload);
  const { mute } = call.session.player;
  if (!isInForce(mute)) return;
  throw new Rejection('chat/muted', mute.untilMs === null ? {} : { retryAfterMs: mute.untilMs - Date.now() });
}
