import { setTimeout as delay } from 'node:timers/promises';
import { deliverMail, type Emitter, type MailboxPort } from '@skirmish/emitter';
import type { UserId } from '@skirmish/protocol';
import type { Session } from '../connection/session.ts';

export interface MailDeliveryOptions {
  readonly emitter: Pick<Emitter, 'emit' | 'realm'>;
  readonly mailbox: MailboxPort;
  /** Whether the user still has a socket here: otherwise the mail waits for the next welcome. */
  readonly isHere: (userId: UserId) => boolean;
  readonly report: (event: 'mail-delivered' | 'mail-failed', details: Readonly<Record<string, unknown>>) => void;
  readonly retryAfterMs?: number;
}

/** Deliveries of one gateway and realm at a time: each holds a connection to Postgres for some milliseconds. */
const atATime = 2;
const triesMax = 5;

/**
 * Emits what waits for users whose session was welcomed here. At most two users at a time, each user once at a time; a failed delivery is
 * tried again while the user is here, after that the mail waits for the next welcome.
 */
export class MailDelivery {
  readonly #options: MailDeliveryOptions;
  readonly #waiting = new Set<UserId>();
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(options: MailDeliveryOptions) {
    this.#options = options;
  }

  /** Call it after each welcome; costs nothing when the player's row says that no mail waits. Never throws. */
  welcomed({ userId, player }: Pick<Session, 'userId' | 'player'>): void {
    if (this.#stop.signal.aborted || !player.mail.includes(this.#options.emitter.realm)) return;
    this.#waiting.add(userId);
    this.#next();
  }

  /** Begins nothing more and resolves when what has begun is over. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#waiting.clear();
    await Promise.all(this.#running);
  }

  #next(): void {
    const [userId] = this.#waiting;
    if (userId === undefined || this.#running.size >= atATime) return;
    this.#waiting.delete(userId);
    const run: Promise<void> = this.#deliver(userId).finally(() => {
      this.#running.delete(run);
      this.#next();
    });
    this.#running.add(run);
  }

  async #deliver(userId: UserId): Promise<void> {
    const { emitter, mailbox, isHere, report, retryAfterMs = 2_000 } = this.#options;
    for (let tries = 1; tries <= triesMax && !this.#stop.signal.aborted && isHere(userId); tries += 1) {
      try {
        const mails = await deliverMail(emitter, mailbox, userId);
        if (mails > 0) report('mail-delivered', { userId, mails });
        return;
      } catch (err) {
        report('mail-failed', { userId, tries, err });
        await delay(retryAfterMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }
}
