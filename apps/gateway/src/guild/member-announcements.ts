import { type RoomName, roomOf, type UserId } from '@skirmish/protocol';
import type { RealmNamespace } from '../connection/session.ts';

export interface MemberAnnouncementsOptions {
  readonly nsp: RealmNamespace;
  /** Sockets that cannot follow get none. */
  readonly slow: ReadonlySet<string>;
  /** Told how many announcements were given up. */
  readonly onDropped: (count: number) => void;
}

/** Announcements that the members of a guild here get in one turn, and that wait for a later one. */
export const announcementsPerTurnMax = 20;
export const waitingPerGuildMax = 1_000;

/**
 * Tells the members of guilds on this gateway which other members came and went: at most 20 at a time, the rest in later turns. Of a member who
 * came and went while it waited nothing is told; beyond 1,000 waiting members of a guild the newest are dropped.
 */
export class MemberAnnouncements {
  readonly #options: MemberAnnouncementsOptions;
  /** By guild: members and whether they came. */
  readonly #waiting = new Map<RoomName, Map<UserId, boolean>>();

  constructor(options: MemberAnnouncementsOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return [...this.#waiting.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Changes of one member in one guild alternate, so a second one that waits takes the first back. */
  add(guild: RoomName, userId: UserId, came: boolean): void {
    if (!this.#options.nsp.adapter.rooms.has(guild)) return;
    const waiting = this.#waiting.get(guild) ?? new Map<UserId, boolean>();
    this.#waiting.set(guild, waiting);
    const before = waiting.get(userId);
    if (before !== undefined && before !== came) waiting.delete(userId);
    else if (before === undefined && waiting.size >= waitingPerGuildMax) this.#options.onDropped(1);
    else waiting.set(userId, came);
  }

  /** One turn. */
  flush(): void {
    for (const [guild, waiting] of this.#waiting) {
      // Nobody is left here who could hear it.
      if (!this.#options.nsp.adapter.rooms.has(guild)) waiting.clear();
      for (const [userId, came] of [...waiting].slice(0, announcementsPerTurnMax)) {
        waiting.delete(userId);
        this.#tell(guild, userId, came);
      }
      if (waiting.size === 0) this.#waiting.delete(guild);
    }
  }

  #tell(guild: RoomName, userId: UserId, came: boolean): void {
    const { nsp, slow } = this.#options;
    nsp.local.to(guild).except([roomOf.user(userId), ...slow]).emit(came ? 'guild:member-online' : 'guild:member-offline', { userId });
  }
}
