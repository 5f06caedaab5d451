import type { UserId } from '@skirmish/protocol';
import type { Session } from './session.ts';

/** The sessions of one realm on this gateway, by socket and by user. */
export class Sessions {
  readonly #bySocket = new Map<string, Session>();
  readonly #byUser = new Map<UserId, Session[]>();

  get size(): number {
    return this.#bySocket.size;
  }

  get userCount(): number {
    return this.#byUser.size;
  }

  add(session: Session): void {
    this.#bySocket.set(session.socketId, session);
    const others = this.#byUser.get(session.userId) ?? [];
    this.#byUser.set(session.userId, [...others, session].sort((a, b) => a.connectedAtMs - b.connectedAtMs));
  }

  /** Answers the session that was there. */
  remove(socketId: string): Session | undefined {
    const session = this.#bySocket.get(socketId);
    if (!session) return undefined;
    this.#bySocket.delete(socketId);
    const others = this.#byUser.get(session.userId)?.filter((each) => each !== session) ?? [];
    if (others.length === 0) this.#byUser.delete(session.userId);
    else this.#byUser.set(session.userId, others);
    return session;
  }

  get(socketId: string): Session | undefined {
    return this.#bySocket.get(socketId);
  }

  /** Of one user, the oldest first. */
  of(userId: UserId): readonly Session[] {
    return this.#byUser.get(userId) ?? [];
  }
}
