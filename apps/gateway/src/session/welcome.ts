import { protocolVersion, type ServerPayload } from '@skirmish/protocol';
import { emitDirect } from '../connection/redis-adapter.ts';
import type { RealmContext } from '../context.ts';
import type { Session } from '../connection/session.ts';

/** Greets a session: always its first event, with the position from which it is complete; after it what it missed, or that it has to begin anew. */
export function welcome(realm: RealmContext, session: Session): void {
  const { socket, player } = session;
  const { recovered } = socket;
  const payload: ServerPayload<'session:welcome'> = {
    protocol: protocolVersion,
    userId: session.userId,
    characterId: session.characterId,
    realm: realm.realm,
    recovered,
    serverTimeMs: Date.now(),
    tokenExpiresAtMs: socket.data.expiresAtMs,
    rooms: [...session.rooms],
    zone: zoneOf(realm, session),
    party: session.party,
    guild: player.guild && { id: player.guild.id, name: player.guild.name },
    combats: [...player.combats],
  };
  emitDirect(socket, 'session:welcome', payload, session.position);
  if (session.reload !== null) emitDirect(socket, 'session:reload', { reason: session.reload });
}

function zoneOf(realm: RealmContext, { player: { character } }: Session): ServerPayload<'session:welcome'>['zone'] {
  if (!character) return null;
  const { id, name, width, height } = character.zone;
  const place = realm.zones.of(id)?.positionOf(character.characterId) ?? { x: character.x, y: character.y };
  return { id, name, width, height, self: place };
}
