import { parseRoom, type Presence as Seen, Rejection, type UserId } from '@skirmish/protocol';
import type { RealmKeys } from '@skirmish/redis';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import { emitDirect } from '../connection/redis-adapter.ts';
import type { RealmNamespace, Session } from '../connection/session.ts';
import { MemberAnnouncements } from '../guild/member-announcements.ts';
import { announcedMax, parseAnnouncement } from './announcement.ts';
import { askPresence } from './ask-presence.ts';
import { announcePresenceScript } from './presence-scripts.ts';
import { presenceByUser, seenBy, type WatchList, WatchLists } from './watch-lists.ts';

export interface PresenceOptions {
  readonly nsp: RealmNamespace;
  readonly transport: Pick<RealmTransport, 'redis' | 'onPresence' | 'onVolatileGap'>;
  readonly keys: RealmKeys;
  readonly graceMs: number;
  /** Sockets that cannot follow: what they have to be told waits. */
  readonly slow: ReadonlySet<string>;
  /** Under pressure nobody is told anything; it waits. */
  readonly dropsEphemeral: () => boolean;
  readonly report: (event: 'presence-refused' | 'presence-failed' | 'announcements-dropped', error?: unknown) => void;
  readonly onAnnounced: (users: number) => void;
}

/** A turn takes a fifth of the grace, within these bounds. */
const turnMsMin = 20;
const turnMsMax = 1_000;
/** Calls of the announcing script in one turn; a crowd that comes at once is announced over several. */
const announcementsPerTurnMax = 10;
/** Users about whom the lists of sessions are brought up to date in one turn. */
const reaskedPerTurnMax = 500;

/**
 * Presence in one realm: announces what has become true, whoever noticed it, and tells the sessions here what they watch and the guilds here who
 * comes and goes. One timer; a turn is at most a second.
 *
 * Ephemeral: an announcement that is lost with a connection to Redis is made good for watchers, who are asked for anew, and not for guilds.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #lists = new WatchLists();
  readonly #guilds: MemberAnnouncements;
  /** Lists that may be out of date, because their session changed rooms or announcements were missed. */
  readonly #doubted = new Set<WatchList>();
  /** Users of whom something was announced while a question was on its way. */
  #heard = new Set<UserId>();
  #timer: NodeJS.Timeout | null = null;
  #isTurning = false;

  constructor(options: PresenceOptions) {
    const { nsp, slow, transport, report } = options;
    this.#options = options;
    this.#guilds = new MemberAnnouncements({ nsp, slow, onDropped: () => { report('announcements-dropped'); } });
    transport.onPresence((body) => { this.#receive(body); });
    transport.onVolatileGap(() => { for (const list of this.#lists.all()) this.#doubted.add(list); });
    const moved = (room: string, socketId: string): void => { this.#roomChanged(room, socketId); };
    nsp.adapter.on('join-room', moved);
    nsp.adapter.on('leave-room', moved);
  }

  get size(): { users: number; sessions: number; news: number; doubted: number; announcements: number } {
    return { ...this.#lists.size, doubted: this.#doubted.size, announcements: this.#guilds.waiting };
  }

  start(): void {
    this.#timer ??= setInterval(() => { void this.runTurn(); }, Math.min(turnMsMax, Math.max(this.#options.graceMs / 5, turnMsMin)));
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /**
   * Lets a session watch users, and answers what it may know of them now. Throws `presence/too-many`, and `server/unavailable` while Redis is away or when
   * the session has ended; its list is as it was then.
   */
  async watch(session: Session, userIds: readonly UserId[]): Promise<Map<UserId, Seen['status']>> {
    // It may have waited for its turn until nobody is there to take its list away again.
    if (!session.socket.connected) throw new Rejection('server/unavailable');
    const asked = new Set(userIds);
    const before = this.#lists.ask(session, asked);
    try {
      const found = await askPresence(this.#options.transport.redis, this.#options.keys, [...asked]);
      const seen = new Map([...found].map(([userId, presence]) => [userId, seenBy(session, userId, presence)]));
      this.#lists.answered(session, seen);
      return seen;
    } catch (error) {
      this.#lists.unanswered(session, before);
      throw error;
    }
  }

  unwatch(session: Session, userIds: readonly UserId[]): Map<UserId, Seen['status']> {
    return this.#lists.unwatch(session, new Set(userIds));
  }

  /** The session has ended. */
  forget(socketId: string): void {
    const list = this.#lists.of(socketId);
    if (list) this.#doubted.delete(list);
    this.#lists.forget(socketId);
  }

  /** One turn of the clock, never rejects; the timer calls it. Nothing happens while the last one is not over. */
  async runTurn(): Promise<void> {
    if (this.#isTurning) return;
    this.#isTurning = true;
    try {
      await this.#announce();
      await this.#askAnew();
    } catch (error) {
      // Redis is away: what is due stays due, what is doubted stays doubted.
      this.#options.report('presence-failed', error);
    }
    this.#tell();
    this.#isTurning = false;
  }

  async #announce(): Promise<void> {
    const { transport, keys, graceMs, onAnnounced } = this.#options;
    // Nothing is queued for a Redis that is away.
    if (transport.redis.status !== 'ready') return;
    for (let call = 0; call < announcementsPerTurnMax; call += 1) {
      const taken = await announcePresenceScript.run(transport.redis, [keys.clock], [keys.prefix, graceMs, announcedMax]);
      if (taken > 0) onAnnounced(taken);
      if (taken < announcedMax) return;
    }
  }

  /** What was announced while a question was on its way is newer than its answer, or followed by another announcement. */
  async #askAnew(): Promise<void> {
    let asked = 0;
    for (const list of this.#doubted) {
      if (asked >= reaskedPerTurnMax || this.#options.transport.redis.status !== 'ready') return;
      asked += list.told.size;
      await this.#askAbout(list);
    }
  }

  async #askAbout(list: WatchList): Promise<void> {
    this.#heard = new Set();
    // It may be doubted again while the question is on its way.
    this.#doubted.delete(list);
    try {
      const found = await askPresence(this.#options.transport.redis, this.#options.keys, [...list.told.keys()]);
      for (const [userId, presence] of found) if (!this.#heard.has(userId)) this.#lists.hear(userId, presence, list);
    } catch (error) {
      this.#doubted.add(list);
      throw error;
    }
  }

  #receive(body: unknown): void {
    const announced = parseAnnouncement(body);
    if (!announced) {
      this.#options.report('presence-refused');
      return;
    }
    for (const { userId, presence, came, left } of announced) {
      this.#heard.add(userId);
      this.#lists.hear(userId, presence);
      for (const guild of left) this.#guilds.add(guild, userId, false);
      for (const guild of came) this.#guilds.add(guild, userId, true);
    }
  }

  #roomChanged(room: string, socketId: string): void {
    const list = this.#lists.of(socketId);
    if (!list) return;
    const kind = parseRoom(room)?.kind;
    if (kind === 'guild' || kind === 'party' || kind === 'zone') this.#doubted.add(list);
  }

  #tell(): void {
    const { slow, dropsEphemeral } = this.#options;
    if (this.#lists.size.news + this.#guilds.waiting === 0 || dropsEphemeral()) return;
    this.#lists.flush(
      ({ socketId }) => !slow.has(socketId),
      ({ socket }, news) => { emitDirect(socket, 'presence:changed', { users: presenceByUser(news) }); },
    );
    this.#guilds.flush();
  }
}
