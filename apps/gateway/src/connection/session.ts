import type { CharacterId, ClientToServerEvents, Party, RoomName, ServerToClientEvents, UserId } from '@skirmish/protocol';
import type { Player } from '@skirmish/database';
import type { Namespace, Socket } from 'socket.io';
import { Turns } from './turns.ts';

/** What other gateways see of a socket when they ask for it: as little as identifies the player, and nothing secret. */
export interface SocketData {
  userId: UserId;
  characterId: CharacterId | null;
}

type NoEvents = Record<string, never>;

/** A socket whose token was verified: its `data` names the player. */
export type SocketWithAuth = Socket<ClientToServerEvents, ServerToClientEvents, NoEvents, SocketData>;

/** The Socket.IO namespace of one realm. */
export type RealmNamespace = Namespace<ClientToServerEvents, ServerToClientEvents, NoEvents, SocketData>;

/** The Engine.IO connection below the sockets of one client. */
export type EngineSocket = Socket['conn'];

/** One connected socket of a player, as this gateway knows it. */
export interface Session {
  readonly socket: SocketWithAuth;
  readonly socketId: string;
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
  readonly connectedAtMs: number;
  /** Realm-clock position from which this session is complete; of a resumed one the client's own. */
  readonly position: string;
  /** The rooms that it is in from the first moment. */
  readonly rooms: readonly RoomName[];
  /** The party of the user when the session began; later ones are told by events. */
  readonly party: Party | null;
  /** Why the client asked to resume in vain, or null. */
  readonly reload: string | null;
  readonly turns: Turns;
  /** Calls that have not been answered. */
  readonly calls: { count: number };
  player: Player;
  tokenExpiresAtMs: number;
}

/** Makes the session of a socket that passed authentication. */
export function createSession(parts: Omit<Session, 'socketId' | 'turns' | 'calls'>): Session {
  return { ...parts, socketId: parts.socket.id, turns: new Turns(), calls: { count: 0 } };
}
