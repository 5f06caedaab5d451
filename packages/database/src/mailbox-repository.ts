import type { RealmId, UserId } from '@skirmish/protocol';
import { sql, type Transaction } from 'kysely';
import type { Database } from './database.ts';
import { refusing } from './errors.ts';
import { json } from './json.ts';
import type { Schema } from './schema.ts';

/** One event that waits for its user. */
export interface StoredMail {
  readonly mailId: number;
  readonly event: string;
  readonly payload: object;
}

export interface MailToStore {
  readonly realm: RealmId;
  readonly userId: UserId;
  readonly event: string;
  readonly payload: object;
  /** Unique per realm and user for as long as the row is kept. */
  readonly idempotencyKey?: string;
}

export interface MailboxOptions {
  /** Mails of a user and realm that wait at most; the oldest has to go for one more. Default 200. */
  readonly waitingMax?: number;
  /** How long a mail waits, and how long a delivered one is remembered, milliseconds. Default 7 days. */
  readonly keepForMs?: number;
}

/** The mailbox of offline users; every rejection is a Rejection of the catalogue. */
export interface Mailbox {
  put(this: void, mail: MailToStore): Promise<{ readonly mailId: number; readonly repeated: boolean; readonly dropped: number }>;
  deliver(this: void, realm: RealmId, userId: UserId, deliver: (mail: StoredMail) => Promise<void>): Promise<number>;
}

const weekMs = 7 * 86_400_000;
/** Mails of one transaction: it must not hold its locks for long. */
const batchMax = 50;

/**
 * Keeps mails in Postgres.
 *
 * `put` bounds a user's mails by deleting the oldest. `deliver` claims waiting rows, the oldest first, hands each to the callback, and marks
 * them in the same transaction: while one caller is at it, others wait for him and find what is left. Dies he before the commit, the rows wait again,
 * so the callback must be idempotent per `mailId`.
 */
export function createMailbox(database: Database, { waitingMax = 200, keepForMs = weekMs }: MailboxOptions = {}): Mailbox {
  return {
    put: (mail) => refusing(database.db.transaction().execute((transaction) => put(transaction, mail, { waitingMax, keepForMs }))),
    deliver: async (realm, userId, deliver) => {
      for (let delivered = 0; ; ) {
        const batch = await refusing(database.db.transaction().execute((transaction) => deliverBatch(transaction, realm, userId, deliver)));
        delivered += batch.delivered;
        if (batch.failure) throw batch.failure.error;
        if (batch.delivered < batchMax) return delivered;
      }
    },
  };
}

async function put(transaction: Transaction<Schema>, mail: MailToStore, { waitingMax, keepForMs }: Required<MailboxOptions>): Promise<Awaited<ReturnType<Mailbox['put']>>> {
  const { realm, userId, event, payload, idempotencyKey = null } = mail;
  // Those who put for the same user come one after the other, so that the bound holds and ids are in the order of the commits.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`mailbox ${realm} ${userId}`}, 0))`.execute(transaction);
  await sql`delete from mailbox where realm = ${realm} and user_id = ${userId} and (expires_at_ms <= now_ms() or delivered_at_ms <= now_ms() - ${keepForMs}::int8)`.execute(transaction);
  const { rows } = await sql<{ mail_id: number }>`
    insert into mailbox (realm, user_id, event, payload, idempotency_key, expires_at_ms)
    values (${realm}, ${userId}, ${event}, ${json(payload)}, ${idempotencyKey}, now_ms() + ${keepForMs}::int8)
    on conflict (realm, user_id, idempotency_key) where idempotency_key is not null do nothing
    returning mail_id`.execute(transaction);
  const [row] = rows;
  if (row) return { mailId: row.mail_id, repeated: false, dropped: await dropOldest(transaction, realm, userId, waitingMax) };
  const before = await sql<{ mail_id: number }>`
    select mail_id from mailbox where realm = ${realm} and user_id = ${userId} and idempotency_key = ${idempotencyKey}`.execute(transaction);
  return { mailId: before.rows[0]?.mail_id ?? 0, repeated: true, dropped: 0 };
}

/** Rows that are being delivered are left to whoever delivers them. */
async function dropOldest(transaction: Transaction<Schema>, realm: RealmId, userId: UserId, waitingMax: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from mailbox where mail_id in (
      select mail_id from mailbox where mail_id in (
        select mail_id from mailbox where realm = ${realm} and user_id = ${userId} and delivered_at_ms is null order by mail_id desc offset ${waitingMax}
      ) for update skip locked
    )`.execute(transaction);
  return Number(numAffectedRows ?? 0);
}

interface Batch {
  readonly delivered: number;
  readonly failure?: { readonly error: unknown };
}

async function deliverBatch(transaction: Transaction<Schema>, realm: RealmId, userId: UserId, deliver: (mail: StoredMail) => Promise<void>): Promise<Batch> {
  // Another deliverer waits here for our commit, and then finds what is left.
  const { rows } = await sql<{ mail_id: number; event: string; payload: object }>`
    select mail_id, event, payload from mailbox
    where realm = ${realm} and user_id = ${userId} and delivered_at_ms is null and (expires_at_ms is null or expires_at_ms > now_ms())
    order by mail_id limit ${batchMax} for update`.execute(transaction);
  const delivered: number[] = [];
  let failure: { readonly error: unknown } | undefined;
  for (const { mail_id: mailId, event, payload } of rows) {
    try {
      await deliver({ mailId, event, payload });
      delivered.push(mailId);
    } catch (error) {
      failure = { error };
      break;
    }
  }
  if (delivered.length > 0) await sql`update mailbox set delivered_at_ms = now_ms() where mail_id = any(${delivered}::int8[])`.execute(transaction);
  return { delivered: delivered.length, ...(failure ? { failure } : {}) };
}
