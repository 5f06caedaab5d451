import { setTimeout as delay } from 'node:timers/promises';
import { parseRoom, type RoomName, roomOf, type UserId } from '@skirmish/protocol';
import type { RealmContext } from '../context.ts';
import { mayBeIn } from '../room/room-access.ts';
import { rejectionOf } from './rejection-of.ts';
import type { Session } from './session.ts';

/** Users who are read at a time: a guild that ends may be thousands. */
const atATime = 4;
const retryAfterMs = 1_000;
/** How long a notice is remembered for a connection that is on its way, milliseconds; no connection takes longer. */
const noticeMs = 30_000;
const noticesMax = 10_000;

type Realm = Pick<RealmContext, 'gateway' | 'realm' | 'sessions' | 'changes' | 'rooms'>;

/**
 * Keeps what the sessions here know of their players true: whoever the database says something new about is read again, four users at a
 * time, and again after a second while the database or Redis is away. The room of the guild follows: whoever changes a guild lets its members
 * join and leave by emissions, and of two changes at the same time those may come in another order than the commits.
 */
export class RereadPlayers {
  readonly #realm: Realm;
  readonly #waiting = new Set<UserId>();
  readonly #notices = new Map<UserId, number>();
  readonly #stop = new AbortController();
  #running = 0;

  constructor(realm: Realm) {
    this.#realm = realm;
  }

  /** Users that wait to be read. */
  get waiting(): number {
    return this.#waiting.size + this.#running;
  }

  /** Never throws. A user without a session here may be about to have one. */
  readonly changed = (userIds: readonly UserId[]): void => {
    for (const userId of userIds) {
      this.#remember(userId);
      if (this.#realm.sessions.of(userId).length > 0) this.#waiting.add(userId);
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
    while (this.#running < atATime && this.#waiting.size > 0) void this.#next();
  }

  async #next(): Promise<void> {
    const [userId] = this.#waiting;
    if (userId === undefined) return;
    this.#waiting.delete(userId);
    this.#running += 1;
    try {
      await this.#read(userId);
    } catch (error) {
      this.#realm.gateway.metrics.report('reread-failed', { code: rejectionOf(error).code }, { err: error, userId });
      await delay(retryAfterMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (!this.#stop.signal.aborted) this.#waiting.add(userId);
    } finally {
      this.#running -= 1;
      this.#begin();
    }
  }

  async #read(userId: UserId): Promise<void> {
    const { sessions } = this.#realm;
    // Sockets of one user may be of different characters.
    for (const characterId of new Set(sessions.of(userId).map((session) => session.characterId))) {
      const { mark } = await this.#realm.changes.of(userId);
      const query = { realm: this.#realm.realm, userId, ...(characterId === null ? {} : { characterId }) };
      const player = await this.#realm.gateway.players.get(query, mark);
      if (!player) continue;
      for (const session of sessions.of(userId)) if (session.characterId === characterId) await this.#renew(session, player);
    }
  }

  async #renew(session: Session, player: Session['player']): Promise<void> {
    session.player = withPlaceOf(session.player, player);
    const { rooms } = this.#realm;
    for (const room of session.socket.rooms) if (isGuild(room) && !mayBeIn(player, room)) await rooms.leaveRoom(session, room);
    if (player.guild && session.socket.connected) await rooms.joinRoom(session, roomOf.guild(player.guild.id));
  }
}

const isGuild = (room: string): room is RoomName => parseRoom(room)?.kind === 'guild';

/** A character's place is the zone's to know while it is connected. */
function withPlaceOf({ character }: Session['player'], player: Session['player']): Session['player'] {
  if (!character || !player.character) return player;
  return { ...player, character: { ...player.character, zone: character.zone, x: character.x, y: character.y, facing: character.facing } };
}

/** Users whose gateways are asked in one emission. */
const usersPerEmission = 200;

/**
 * Makes a change of users in the database known to all gateways of a realm: sessions that are there are read again, those that come later
 * see the mark. Call it after the commit. Rejects with `server/unavailable`: repeat it.
 */
export async function tellChanged({ changes, transport }: Pick<RealmContext, 'changes' | 'transport'>, userIds: readonly UserId[]): Promise<void> {
  await changes.mark(userIds, { binding: true });
  for (let from = 0; from < userIds.length; from += usersPerEmission) {
    await transport.emitter.reread({ rooms: userIds.slice(from, from + usersPerEmission).map((userId) => roomOf.user(userId)) });
  }
}
