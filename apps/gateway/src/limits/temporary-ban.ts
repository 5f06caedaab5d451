import type { Database } from '@skirmish/database';
import type { UserId } from '@skirmish/protocol';
import { endSessions, type Reach, tellUser } from './reach-user.ts';

/** Bans users; whoever sets sanctions fills it. */
export interface TemporaryBan {
  /** Resolves when no gateway lets the user in until `untilMs`, and what could be reached was told and closed; rejects when the ban is not in force. */
  ban(this: void, userId: UserId, reason: string, untilMs: number): Promise<void>;
}

export interface TemporaryBanParts {
  readonly database: Database;
  readonly realms: readonly Reach[];
  /** The ban is in force, and the user's connections could not be told or closed everywhere. */
  readonly onUntold: (error: unknown) => void;
}

/** Writes the row first: whoever is disconnected must not get in again. */
export function createTemporaryBan({ database, realms, onUntold }: TemporaryBanParts): TemporaryBan {
  return {
    ban: async (userId, reason, untilMs) => {
      await database.db.insertInto('sanctions').values({ user_id: userId, kind: 'ban', reason, created_by: 'rate-limits', until_ms: untilMs }).execute();
      await tellUser(realms, userId, { kind: 'banned', reason, untilMs }).catch(onUntold);
      await endSessions(realms, userId, 'auth/banned').catch(onUntold);
    },
  };
}
