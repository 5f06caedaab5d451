import { roomOf, type UserId } from '@skirmish/protocol';
import type { RealmContext } from '../context.ts';

/** Users whose gateways are asked in one emission. */
const usersPerEmission = 200;

/**
 * Makes a change of users in the database known to all gateways of a realm: sessions that are there are read again, those that come later
 * see the mark. Call it after the commit. Rejects with `server/unavailable`: repeat it.
 */
export async function tellChanged({ changes, transport }: Pick<RealmContext, 'changes' | 'transport'>, userIds: readonly UserId[]): Promise<void> {
  await changes.mark(userIds, { binding: true });
  for (let from = 0; from < userIds.length; from += usersPerEmission) {
    await transport.emitter.reread({ rooms: userIds.slice(from, from + usersPerEmission).map((userId) => roomOf.user(userId)) });
  }
}
