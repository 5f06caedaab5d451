import { type ClientPayload, Rejection } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Only the zone in which the own character is. */
export function inOwnZone({ session }: Call, { zoneId }: Pick<ClientPayload<'zone:roster'>, 'zoneId'>): void {
  if (session.player.character?.zone.id !== zoneId) throw new Rejection('room/forbidden', { path: 'zoneId' });
}
