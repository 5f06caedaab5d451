import { type RefusalCode, refusals, roomOf, type UserId } from '@skirmish/protocol';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import { emitDirect } from '../connection/redis-adapter.ts';
import type { Sessions } from '../connection/sessions.ts';

/** A realm as far as its users are reached. */
export interface Reach {
  readonly transport: Pick<RealmTransport, 'emitter'>;
  readonly sessions: Pick<Sessions, 'of'>;
}

/** What a sanctioned user is told. */
export interface Told {
  readonly kind: 'warned' | 'muted' | 'banned';
  readonly reason: string;
  readonly untilMs?: number;
}

/** Tells a user on all gateways, in the realms that this one serves. Rejects when Redis does not hold it everywhere. */
export async function tellUser(realms: readonly Reach[], userId: UserId, told: Told): Promise<void> {
  const target = { rooms: [roomOf.user(userId)] };
  await Promise.all(realms.map(({ transport }) => transport.emitter.emit(target, 'moderation:sanctioned', told)));
}

/**
 * Closes all sockets of a user on all gateways after telling them why; they may connect anew. While Redis is away those of this gateway are closed all
 * the same, and it rejects.
 */
export async function endSessions(realms: readonly Reach[], userId: UserId, code: RefusalCode): Promise<void> {
  const reason = { code, message: refusals[code].message };
  const target = { rooms: [roomOf.user(userId)] };
  const end = async ({ transport, sessions }: Reach): Promise<void> => {
    try {
      await transport.emitter.disconnect(target, reason);
    } catch (error) {
      for (const { socket } of sessions.of(userId)) {
        emitDirect(socket, 'session:closed', reason);
        socket.disconnect(true);
      }
      throw error;
    }
  };
  await Promise.all(realms.map(end));
}
