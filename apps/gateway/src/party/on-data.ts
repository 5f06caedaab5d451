import { type ClientAnswer, type ClientPayload, roomOf } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { partyOf } from './party-of.ts';

/** Hands bytes to the other members, as they are; may be lost, never waits. */
export function onData({ realm, session }: Call, { kind, bytes }: ClientPayload<'party:data'>): ClientAnswer<'party:data'> {
  const party = partyOf(session);
  if (party === null) return {};
  const { userId } = session;
  // The bytes travel beside it; whoever hands them on checks the whole.
  const body = { v: 1, kind: 'event', event: 'party:data', payload: { from: userId, kind }, exceptRooms: [roomOf.user(userId)] };
  realm.transport.volatile.publish(roomOf.party(party), body, bytes);
  return {};
}
