import { type CharacterId, type ClientAnswer, type ClientPayload, commandMemoryMs, escapeUserId, Rejection, roomOf, type ZoneId } from '@skirmish/protocol';
import { payloadHash } from '@skirmish/queue';
import { keysOf } from '@skirmish/redis';
import type { Call } from '../context.ts';
import { claimantOf } from '../zone/claimant.ts';
import { type StatusReply, statusScript } from './status-script.ts';

type Payload = ClientPayload<'character:status'>;

/**
 * Sets the status of the own character, and tells the zone. A command that was cut off between the two is completed by its repetition, unless
 * another one has come since.
 */
export async function onStatus(call: Call, payload: Payload): Promise<ClientAnswer<'character:status'>> {
  const { realm, session } = call;
  const { character } = session.player;
  const claimant = claimantOf(session);
  if (!character || !claimant) throw new Rejection('character/not-found');
  const { characterId, zone } = character;
  const reply = await setStatus(call, payload, characterId, zone.id);
  if (reply.outcome === 'differs') throw new Rejection('payload/invalid', { path: 'commandId' });
  if (reply.outcome === 'stale') throw new Rejection('character/stale');
  if (reply.outcome === 'repeated' && !reply.current) return {};
  session.status = payload.status;
  realm.zones.of(zone.id)?.setStatus(claimant, payload.status);
  // A seat is its socket's, so a command that another socket repeats is not the current one any more.
  const idempotencyKey = `status ${session.socketId} ${payload.commandId}`;
  await realm.transport.emitter.emit({ rooms: [roomOf.zone(zone.id)] }, 'character:status-changed', { characterId, status: payload.status }, { idempotencyKey });
  return {};
}

async function setStatus({ realm, session, event }: Call, payload: Payload, characterId: CharacterId, zone: ZoneId): Promise<StatusReply> {
  const keys = keysOf(realm.realm);
  const { userId, socketId } = session;
  const names = [keys.command(userId, event, payload.commandId), keys.roster(zone), keys.presenceChanged];
  try {
    return await statusScript.run(realm.transport.redis, names, [
      payloadHash(payload), characterId, socketId, payload.status, payload.commandId, escapeUserId(userId), commandMemoryMs,
    ]);
  } catch (cause) {
    throw new Rejection('server/unavailable', { cause });
  }
}
