import { type Presence, presenceUserIdsMax, Rejection, type UserId } from '@skirmish/protocol';
import type { Session } from '../connection/session.ts';
import type { Whereabout } from './announcement.ts';

type Status = Presence['status'];

/** Whom one session watches. */
export interface WatchList {
  readonly session: Session;
  /** What the client was told last of each; null while a question about the user is on its way. */
  readonly told: Map<UserId, Status | null>;
  /** Users about whom it may have to be told something: where they are. What that means to it is decided when it is told. */
  readonly news: Map<UserId, Whereabout | null>;
}

/** What a session was told before a question that may fail; undefined: the user is new to the list. */
export type Before = ReadonlyMap<UserId, Status | undefined>;

/**
 * The users whom the sessions of one realm on this gateway watch, and what each of them was told: a state is told when it is another than the last
 * one, however often it is announced. At most 100 users per session; a session that ends takes its list along.
 */
export class WatchLists {
  readonly #lists = new Map<string, WatchList>();
  readonly #watchers = new Map<UserId, Set<WatchList>>();
  readonly #withNews = new Set<WatchList>();

  /** Users who are watched, and sessions that watch. */
  get size(): { users: number; sessions: number; news: number } {
    return { users: this.#watchers.size, sessions: this.#lists.size, news: this.#withNews.size };
  }

  of(socketId: string): WatchList | undefined {
    return this.#lists.get(socketId);
  }

  all(): IterableIterator<WatchList> {
    return this.#lists.values();
  }

  /**
   * Puts users on the list of a session, which is about to ask for them: until the answer it hears nothing of them. Throws `presence/too-many`
   * when the list would have more than 100, and changes nothing then.
   */
  ask(session: Session, userIds: ReadonlySet<UserId>): Before {
    const list: WatchList = this.#lists.get(session.socketId) ?? { session, told: new Map(), news: new Map() };
    const fresh = [...userIds].filter((userId) => !list.told.has(userId));
    if (list.told.size + fresh.length > presenceUserIdsMax) throw new Rejection('presence/too-many', { path: 'userIds' });
    const before = new Map<UserId, Status | undefined>();
    if (userIds.size > 0) this.#lists.set(session.socketId, list);
    for (const userId of userIds) {
      before.set(userId, list.told.get(userId) ?? undefined);
      list.told.set(userId, null);
      const watchers = this.#watchers.get(userId);
      if (watchers) watchers.add(list);
      else this.#watchers.set(userId, new Set([list]));
    }
    return before;
  }

  /** The answer to a question that the client is told now; what was announced meanwhile is told after it. */
  answered(session: Session, seen: ReadonlyMap<UserId, Status>): void {
    const list = this.#lists.get(session.socketId);
    if (list?.session !== session) return;
    for (const [userId, status] of seen) if (list.told.has(userId)) list.told.set(userId, status);
  }

  /** There was no answer: the list is as it was. */
  unanswered(session: Session, before: Before): void {
    for (const [userId, status] of before) {
      if (status === undefined) this.#unwatch(session.socketId, userId);
      else this.answered(session, new Map([[userId, status]]));
    }
  }

  /** Takes users off the list; what the session was told last of each, `offline` for others. */
  unwatch({ socketId }: Session, userIds: ReadonlySet<UserId>): Map<UserId, Status> {
    const told = new Map<UserId, Status>();
    for (const userId of userIds) {
      told.set(userId, this.#lists.get(socketId)?.told.get(userId) ?? 'offline');
      this.#unwatch(socketId, userId);
    }
    return told;
  }

  /** The session has ended. */
  forget(socketId: string): void {
    for (const userId of [...(this.#lists.get(socketId)?.told.keys() ?? [])]) this.#unwatch(socketId, userId);
  }

  /** Where a user is now, null for one who is gone; for `only` one of its watchers, or for all. */
  hear(userId: UserId, presence: Whereabout | null, only?: WatchList): void {
    for (const list of this.#watchers.get(userId) ?? []) {
      if (only && only !== list) continue;
      list.news.set(userId, presence);
      this.#withNews.add(list);
    }
  }

  /** Hands out what is news to each session that can take it now; the rest waits, the newest state of each user. */
  flush(isReady: (session: Session) => boolean, tell: (session: Session, news: Map<UserId, Status>) => void): void {
    for (const list of this.#withNews) {
      if (!isReady(list.session)) continue;
      const news = new Map<UserId, Status>();
      for (const [userId, presence] of list.news) {
        const told = list.told.get(userId);
        if (told === null) continue;
        list.news.delete(userId);
        const status = seenBy(list.session, userId, presence);
        if (told === status) continue;
        news.set(userId, status);
        list.told.set(userId, status);
      }
      if (list.news.size === 0) this.#withNews.delete(list);
      if (news.size > 0) tell(list.session, news);
    }
  }

  #unwatch(socketId: string, userId: UserId): void {
    const list = this.#lists.get(socketId);
    if (!list?.told.delete(userId)) return;
    list.news.delete(userId);
    const watchers = this.#watchers.get(userId);
    watchers?.delete(list);
    if (watchers?.size === 0) this.#watchers.delete(userId);
    if (list.news.size === 0) this.#withNews.delete(list);
    if (list.told.size === 0) this.#lists.delete(socketId);
  }
}

/** What a session may know of a user: the truth of itself and of those with whom it shares a guild, a party or a zone; all others are offline. */
export function seenBy({ socket, userId: own }: Session, userId: UserId, presence: Whereabout | null): Status {
  if (!presence) return 'offline';
  return own === userId || presence.rooms.some((room) => socket.rooms.has(room)) ? presence.status : 'offline';
}

/** The dictionary of the protocol; a user may be called `__proto__`. */
export const presenceByUser = (seen: ReadonlyMap<UserId, Status>): Record<string, Presence> =>
  Object.fromEntries([...seen].map(([userId, status]) => [userId, { online: status !== 'offline', status }]));
