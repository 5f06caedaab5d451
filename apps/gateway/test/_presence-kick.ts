import type { RealtimeService } from '@skirmish/emitter';
import type { UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import type { PresenceClient } from './_presence-client.ts';

interface Kicked {
  readonly userId: UserId;
  /** All clients of the user. */
  readonly own: readonly PresenceClient[];
  isThere(client: PresenceClient): boolean;
  /** Gets the sessions that nobody may resume any more. */
  readonly forgotten: Set<string>;
}

/** Ends the connections of a user, again when one of them broke meanwhile: whoever is on its way back comes in after the kick. */
export async function kick(service: RealtimeService, { userId, own, isThere, forgotten }: Kicked): Promise<void> {
  const breaks = (): number => own.reduce((sum, client) => sum + client.breaks, 0);
  let before: number;
  do {
    for (const client of own) await eventually(() => client.isConnected || client.isSentAway || !isThere(client), { timeoutMs: 15_000, what: `${userId} to be there, or out` });
    before = breaks();
    await eventually(() => service.disconnectUser(userId, 'kicked'), { timeoutMs: 15_000 });
    for (const client of own) forgotten.add(client.privateId);
    await eventually(() => breaks() > before || own.every((client) => !client.isConnected), { timeoutMs: 15_000, what: `${userId} to be out` });
  } while (breaks() > before);
}
