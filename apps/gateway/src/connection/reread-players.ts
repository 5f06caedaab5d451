import { setTimeout as delay } from 'node:timers/promises';
import type { PlayerChanges } from '@skirmish/emitter';
import { parseRoom, type RealmId, type RoomName, roomOf, type UserId } from '@skirmish/protocol';
import type { RoomService } from '../room/room-service.ts';
import type { PlayerCache } from './player-cache.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/** Users who are read at a time: a guild that ends may be thousands. */
const atATime = 4;
const retryAfterMs = 1_000;
/** How long a notice is remembered for a connection that is on its way, milliseconds; no connection takes longer. */
const noticeMs = 30_000;
const noticesMax = 10_000;

export interface RereadOptions {
  readonly realm: RealmId;
  readonly sessions: Pick<Sessions, 'of'>;
  readonly changes: Pick<PlayerChanges, 'of'>;
  readonly players: Pick<PlayerCache, 'get'>;
  readonly rooms: Pick<RoomService, 'joinRoom' | 'leaveRoom'>;
  /** It is tried again. */
  readonly onFailed: (userId: UserId, error: unknown) => void;
}

/**
 * Keeps what the sessions here know of their players true: whoever the database says something new about is read again, four users at a
 * time, and again after a second while the database or Redis is away. The room of the guild follows: whoever changes a guild lets its members
 * join and leave by emissions, and of two changes at the same time those may come in another order than the commits. One user is read once at a
 * time, so no reading is overwritten by one that began before it; and a session whose guild became another one while its player was read
 * is not changed by that reading, which may be the older of the two: the player is read again.
 */
export class RereadPlayers {
  readonly #options: RereadOptions;
  readonly #waiting = new Set<UserId>();
  readonly #notices = new Map<UserId, number>();
  readonly #stop = new AbortController();
  readonly #reading = new Set<UserId>();

  constructor(options: RereadOptions) {
    this.#options = options;
  }

  /** Users that wait to be read. */
  get waiting(): number {
    return this.#waiting.size + this.#reading.size;
  }

  /** Never throws. A user without a session here may be about to have one. */
  readonly changed = (userIds: readonly UserId[]): void => {
    for (const userId of userIds) {
      this.#remember(userId);
      if (this.#options.sessions.of(userId).length > 0) this.#waiting.add(userId);
    }
    this.#begin();
  };

  /** A session has come whose player was read a little earlier; a notice that came between the two is for it as well. */
  arrived({ userId }: Session): void {
    const atMs = this.#notices.get(userId);
    if (atMs === undefined || performance.now() - atMs > noticeMs) return;
    this.#waiting.add(userId);
    this.#begin();
  }

  close(): void {
    this.#stop.abort();
    this.#waiting.clear();
  }

  #remember(userId: UserId): void {
    this.#notices.delete(userId);
    this.#notices.set(userId, performance.now());
    const [oldest] = this.#notices.keys();
    if (this.#notices.size > noticesMax && oldest !== undefined) this.#notices.delete(oldest);
  }

  #begin(): void {
    for (const userId of this.#waiting) {
      if (this.#reading.size >= atATime) return;
      // What is being read may be older than the notice.
      if (this.#reading.has(userId)) continue;
      this.#waiting.delete(userId);
      this.#reading.add(userId);
      void this.#next(userId);
    }
  }

  async #next(userId: UserId): Promise<void> {
    try {
      await this.#read(userId);
    } catch (error) {
      this.#options.onFailed(userId, error);
      await delay(retryAfterMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (!this.#stop.signal.aborted) this.#waiting.add(userId);
    } finally {
      this.#reading.delete(userId);
      this.#begin();
    }
  }

  async #read(userId: UserId): Promise<void> {
    const { realm, sessions, changes, players } = this.#options;
    const failures: unknown[] = [];
    // Sockets of one user may be of different characters.
    for (const characterId of new Set(sessions.of(userId).map((session) => session.characterId))) {
      const before = new Map(sessions.of(userId).map((session) => [session, guildRoomsOf(session).join()]));
      const { mark } = await changes.of(userId);
      const query = { realm, userId, ...(characterId === null ? {} : { characterId }) };
      const player = await players.get(query, mark);
      if (!player) continue;
      const all = sessions.of(userId).filter((session) => session.characterId === characterId);
      // Whoever has come or changed guilds meanwhile may know of a later commit than this reading.
      const theirs = all.filter((session) => before.get(session) === guildRoomsOf(session).join());
      if (theirs.length < all.length && !this.#stop.signal.aborted) this.#waiting.add(userId);
      // All of them: one whose rooms cannot be changed keeps none of the others.
      for (const renewed of await Promise.allSettled(theirs.map((session) => this.#renew(session, player)))) {
        if (renewed.status === 'rejected') failures.push(renewed.reason);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async #renew(session: Session, player: Session['player']): Promise<void> {
    session.player = withPlaceOf(session.player, player);
    const { rooms } = this.#options;
    const own = player.guild && roomOf.guild(player.guild.id);
    const others = guildRoomsOf(session).filter((room) => room !== own);
    for (const room of others) await rooms.leaveRoom(session, room);
    if (!own || !session.socket.connected) return;
    // A later change has taken it elsewhere, and has it read again.
    if (guildRoomsOf(session).some((room) => room !== own && !others.includes(room))) return;
    await rooms.joinRoom(session, own);
  }
}

const guildRoomsOf = ({ socket }: Session): RoomName[] => [...socket.rooms].filter((room): room is RoomName => parseRoom(room)?.kind === 'guild');

/** A connection keeps the character that it began with, or none; and its place is the zone's to know meanwhile. */
function withPlaceOf({ character }: Session['player'], player: Session['player']): Session['player'] {
  if (!character || !player.character) return { ...player, character };
  return { ...player, character: { ...player.character, zone: character.zone, x: character.x, y: character.y, facing: character.facing } };
}
