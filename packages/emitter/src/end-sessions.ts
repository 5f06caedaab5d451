import type { UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import { keysOf } from '@skirmish/redis';
import type { Emitter } from './create-emitter.ts';
import { forgetSessionsScript } from './service-scripts.ts';

/**
 * Closes every socket of a user on all gateways with `session:closed`, and forgets the records from which its sessions could be resumed, also
 * of those that are away. `sessions`: how many records there were. Rejects when Redis is away: repeat it.
 */
export async function endSessions(emitter: Emitter, redis: Redis, userId: UserId, reason: { readonly code: string; readonly message: string }): Promise<{ id: string; sessions: number }> {
  const keys = keysOf(emitter.realm);
  // First the records: a client that loses its socket to the second step must not find the door of a resume open.
  const sessions = await forgetSessionsScript.run(redis, [keys.clock], [keys.prefix, keys.sessionsOf(userId)]);
  const { id } = await emitter.disconnect({ rooms: [roomOf.user(userId)] }, reason);
  return { id, sessions };
}
