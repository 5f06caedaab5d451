import { parseRoom, type RoomName } from '@skirmish/protocol';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import type { RealmNamespace } from '../connection/session.ts';
import { type Ephemeral, parseEphemeral } from '../zone/ephemeral.ts';

export interface EphemeralRoomsOptions {
  readonly nsp: RealmNamespace;
  readonly transport: Pick<RealmTransport, 'volatile'>;
  /** Sockets that cannot follow get none. */
  readonly slow: ReadonlySet<string>;
  /** Under pressure nobody gets any. */
  readonly dropsEphemeral: () => boolean;
  /** Told when something on a room's channel could not be read. */
  readonly onUnreadable: () => void;
}

/**
 * Follows the channel of each room while it has a member here, and hands the ephemeral events on it to the members. Zones follow their own
 * channels, which carry positions too, and the transport follows that of the realm.
 */
export function followRooms(options: EphemeralRoomsOptions): void {
  const { nsp, transport, dropsEphemeral, onUnreadable } = options;
  nsp.adapter.on('create-room', (name: string) => {
    const room = followed(name);
    if (!room) return;
    transport.volatile.follow(room, (body, bytes) => {
      const ephemeral = parseEphemeral(body, bytes);
      if (!ephemeral) onUnreadable();
      else if (!dropsEphemeral()) deliver(options, room, ephemeral);
    });
  });
  nsp.adapter.on('delete-room', (name: string) => {
    const room = followed(name);
    if (room) transport.volatile.unfollow(room);
  });
}

function deliver({ nsp, slow }: EphemeralRoomsOptions, room: RoomName, { event, payload, exceptRooms }: Ephemeral): void {
  // The payload was parsed for this very event; the type of Socket.IO cannot follow that.
  const audience: { emit(event: string, payload: object): unknown } = nsp.local.to(room).except([...exceptRooms, ...slow]);
  audience.emit(event, payload);
}

function followed(name: string): RoomName | null {
  const parsed = parseRoom(name);
  return parsed === null || parsed.kind === 'zone' || parsed.kind === 'realm' ? null : (name as RoomName);
}
