import { createHash } from 'node:crypto';
import type { ClientAnswer, ClientPayload, CommandId, PartyId, RealmId, UserId } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { nameOf } from './party-of.ts';

/** Founds a party with its sender as leader; a member of one gets that. */
export function onCreate({ realm, session }: Call, payload: ClientPayload<'party:create'>): Promise<ClientAnswer<'party:create'>> {
  const { userId } = session;
  const partyId = partyIdFor(realm.realm, userId, payload.commandId);
  return realm.parties.command('party:create', payload, { op: 'create', userId, name: nameOf(session), partyId });
}

/** The same command makes the same id, also after Redis has lost its memory of it. */
function partyIdFor(realm: RealmId, userId: UserId, commandId: CommandId): PartyId {
  const digest = createHash('sha256').update(JSON.stringify([realm, userId, commandId])).digest('base64url');
  return `pt_${digest.slice(0, 22)}` as PartyId;
}
