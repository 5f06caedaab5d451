import type { Role } from '@skirmish/auth';
import type { CharacterId, CharacterStatus, ClientToServerEvents, Party, RoomName, ServerToClientEvents, UserId } from '@skirmish/protocol';
import type { Player } from '@skirmish/database';
import type { Namespace, Socket } from 'socket.io';
import type { Replay } from '../cluster/realm-transport-types.ts';
import { Turns } from './turns.ts';

/** Who a socket speaks for, from its token; other gateways see it when they ask for the socket, so it holds nothing secret. */
export interface SocketData {
  readonly userId: UserId;
  readonly characterId: CharacterId | null;
  readonly roles: readonly Role[];
  /** End of the token, epoch milliseconds; a refresh moves it. */
  expiresAtMs: number;
  /** What the client calls itself, at most 64 characters. */
  readonly device: string;
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
  /** What it missed and is sent after its welcome; null when it did not resume. */
  readonly replay: Replay | null;
  readonly turns: Turns;
  /** Calls that have not been answered. */
  readonly calls: { count: number };
  player: Player;
  /** Of its character, as long as this session controls it. */
  status: CharacterStatus;
}

/** Makes the session of a socket that passed authentication. */
export function createSession(parts: Omit<Session, 'socketId' | 'turns' | 'calls' | 'status'>): Session {
  return { ...parts, socketId: parts.socket.id, status: 'online', turns: new Turns(), calls: { count: 0 } };
}
