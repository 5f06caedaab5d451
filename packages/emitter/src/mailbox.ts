import type { RealmId, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { EmittedEvent, Emitter } from './create-emitter.ts';

/** One event that waits for its user. */
export interface Mail {
  readonly mailId: number;
  readonly event: string;
  readonly payload: object;
}

export interface NewMail {
  readonly realm: RealmId;
  readonly userId: UserId;
  readonly event: string;
  readonly payload: object;
  /** The same key again finds the mail that is there. */
  readonly idempotencyKey?: string;
}

/** Where events for users who are offline wait; `packages/database` has it in Postgres. */
export interface MailboxPort {
  /** Keeps a mail. `dropped`: older mails of the user that had to go, because the box was full. */
  put(this: void, mail: NewMail): Promise<{ readonly mailId: number; readonly repeated: boolean; readonly dropped: number }>;
  /**
   * Hands what waits for a user to `deliver`, the oldest first, one caller at a time; what was delivered is marked and does not come
   * again. Ends with the first delivery that fails, and rejects with its error. Answers how many were delivered.
   */
  deliver(this: void, realm: RealmId, userId: UserId, deliver: (mail: Mail) => Promise<void>): Promise<number>;
}

/**
 * Emits what waits for a user who is online now; answers how many. Call it after the welcome.
 *
 * Once: a mail is marked after its emission and emitted under its own key, so whoever dies between the two has it emitted again under the
 * same key, which the routing script answers from memory for 10 minutes.
 */
export function deliverMail(emitter: Pick<Emitter, 'emit' | 'realm'>, mailbox: MailboxPort, userId: UserId): Promise<number> {
  return mailbox.deliver(emitter.realm, userId, async ({ mailId, event, payload }) => {
    await emitter.emit({ rooms: [roomOf.user(userId)] }, event as EmittedEvent, payload, { idempotencyKey: mailName(mailId) });
  });
}

/** The idempotency key of a mail's emission, and the id that its sender is told. */
export const mailName = (mailId: number): string => `mail-${mailId}`;
