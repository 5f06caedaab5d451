import type { DisconnectReason } from '@skirmish/protocol';
import type { Session } from '../connection/session.ts';
import type { RealmContext } from '../context.ts';

/** Socket.IO's words for the end of a connection; all others are the network's. */
const reasons: Readonly<Record<string, DisconnectReason>> = {
  'client namespace disconnect': 'left',
  'server namespace disconnect': 'closed',
  'server shutting down': 'closed',
  'forced close': 'closed',
  'forced server close': 'closed',
};

/** Backends hear of a session that begins, and of the zone that its character is in then. */
export function tellArrived({ backend, transport }: RealmContext, session: Session): void {
  const { userId, characterId, socketId, player } = session;
  const { recovered } = session.socket;
  const data = { userId, characterId, socketId, gateway: transport.incarnation(), recovered };
  backend.record({ type: 'user.connected', id: `connected-${socketId}`, data });
  if (recovered || characterId === null || !player.character) return;
  const zoneId = player.character.zone.id;
  backend.record({ type: 'zone.entered', id: `zone-${socketId}-0`, data: { userId, characterId, zoneId, fromZoneId: null } });
}

/** Backends hear of its end. */
export function tellDeparted({ backend, transport }: RealmContext, { userId, characterId, socketId }: Session, reason: string): void {
  const data = { userId, characterId, socketId, gateway: transport.incarnation(), reason: reasons[reason] ?? 'lost' };
  backend.record({ type: 'user.disconnected', id: `disconnected-${socketId}`, data });
}
