import { sql, type Transaction } from 'kysely';
import type { ChannelKind, MessageId, RealmId, UserId } from '@skirmish/protocol';
import type { Database } from './database.ts';
import type { Row, Schema } from './schema.ts';

/** A message as it was sent, before anybody has judged it. `fingerprint` is equal for texts that count as the same. */
export interface SentMessage {
  readonly messageId: MessageId;
  readonly realm: RealmId;
  readonly channel: { readonly kind: ChannelKind; readonly id: string };
  readonly from: { readonly userId: UserId; readonly name: string };
  readonly commandId: string;
  readonly fingerprint: string;
  readonly sentAtMs: number;
}

/** What became of a message; the text of a refused one is not kept. */
export type MessageVerdict =
  | { readonly kind: 'delivered'; readonly text: string }
  | { readonly kind: 'refused'; readonly code: string; readonly untilMs: number | null };

/** The verdict that holds, with the id and the instant under which the message was judged first. */
export interface SettledMessage {
  readonly messageId: MessageId;
  readonly sentAtMs: number;
  readonly verdict: MessageVerdict;
  /** True when it had been judged before. */
  readonly repeated: boolean;
}

export interface SettleOptions {
  /** For how long a command id stands for the same message. */
  readonly memoryMs: number;
  /** How far back equal messages of the same user are counted. */
  readonly alikeWindowMs: number;
  /** Called with the number of equal messages in the window before this one; must be pure. Not called for a repetition. */
  readonly judge: (alikeBefore: number) => MessageVerdict;
}

/**
 * Judges and stores a message in one transaction; a message that was judged before keeps its verdict, also when the same command comes with another
 * message id. Messages of one user are judged one after the other, so equal ones in two channels are counted right. Throws the database's error.
 */
export const settleMessage = (database: Database, message: SentMessage, options: SettleOptions): Promise<SettledMessage> =>
  database.db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`${message.realm} ${message.from.userId}`}, 0))`.execute(transaction);
    const before = await findSettled(transaction, message, options.memoryMs);
    if (before !== null) return before;
    const verdict = options.judge(await countAlike(transaction, message, options.alikeWindowMs));
    await insertMessage(transaction, message, verdict);
    return { messageId: message.messageId, sentAtMs: message.sentAtMs, verdict, repeated: false };
  });

interface SettledRow {
  message_id: string;
  sent_at_ms: number;
  text: string | null;
  refusal: string | null;
  refusal_until_ms: number | null;
}

const findSettled = async (transaction: Transaction<Schema>, message: SentMessage, memoryMs: number): Promise<SettledMessage | null> => {
  const { rows } = await sql<SettledRow>`
    select message_id, sent_at_ms, text, refusal, refusal_until_ms from chat_messages where message_id = ${message.messageId}
    union all
    select message_id, sent_at_ms, text, refusal, refusal_until_ms from chat_messages
    where from_user_id = ${message.from.userId} and command_id = ${message.commandId} and realm = ${message.realm}
      and sent_at_ms > ${message.sentAtMs - memoryMs}::int8 and message_id <> ${message.messageId}
    limit 1`.execute(transaction);
  const [row] = rows;
  if (row === undefined) return null;
  const verdict: MessageVerdict =
    row.refusal === null ? { kind: 'delivered', text: row.text ?? '' } : { kind: 'refused', code: row.refusal, untilMs: row.refusal_until_ms };
  return { messageId: row.message_id as MessageId, sentAtMs: row.sent_at_ms, verdict, repeated: true };
};

const countAlike = async (transaction: Transaction<Schema>, message: SentMessage, windowMs: number): Promise<number> => {
  const { rows } = await sql<{ alike: number }>`
    select count(*)::int4 as alike from chat_messages
    where realm = ${message.realm} and from_user_id = ${message.from.userId} and fingerprint = ${message.fingerprint}
      and sent_at_ms > ${message.sentAtMs - windowMs}::int8`.execute(transaction);
  return rows[0]?.alike ?? 0;
};

const insertMessage = async (transaction: Transaction<Schema>, message: SentMessage, verdict: MessageVerdict): Promise<void> => {
  const { messageId, realm, channel, from, commandId, fingerprint, sentAtMs } = message;
  const delivered = verdict.kind === 'delivered';
  await transaction
    .insertInto('chat_messages')
    .values({
      message_id: messageId,
      realm,
      channel_kind: channel.kind,
      channel_id: channel.id,
      from_user_id: from.userId,
      from_name: from.name,
      text: delivered ? verdict.text : null,
      status: verdict.kind,
      refusal: delivered ? null : verdict.code,
      refusal_until_ms: delivered ? null : verdict.untilMs,
      fingerprint,
      sent_at_ms: sentAtMs,
      command_id: commandId,
    })
    .execute();
};

export interface HistoryMessage {
  readonly messageId: MessageId;
  readonly channel: { readonly kind: ChannelKind; readonly id: string };
  readonly from: { readonly userId: UserId; readonly name: string };
  readonly text: string;
  readonly sentAtMs: number;
}

export interface HistoryQuery {
  readonly realm: RealmId;
  readonly channel: { readonly kind: ChannelKind; readonly id: string };
  /** Who asks: a whisper channel is what this user and the one that it names told each other. */
  readonly viewerId: UserId;
  readonly beforeMessageId?: MessageId;
  readonly limit: number;
}

type HistoryRow = Pick<Row<'chat_messages'>, 'message_id' | 'channel_kind' | 'channel_id' | 'from_user_id' | 'from_name' | 'text' | 'sent_at_ms'>;

/** What was delivered in a channel, newest first, at most `limit`; `hasMore` when older ones exist. Who may read it is the caller's matter. */
export const chatHistory = async (
  database: Database,
  { realm, channel, viewerId, beforeMessageId, limit }: HistoryQuery,
): Promise<{ readonly messages: readonly HistoryMessage[]; readonly hasMore: boolean }> => {
  // The kinds are literals, so that Postgres sees that the partial indexes fit.
  const within =
    channel.kind === 'whisper'
      ? sql`channel_kind = 'whisper'
          and least(channel_id, from_user_id) = least(${channel.id}::text collate "C", ${viewerId}::text collate "C")
          and greatest(channel_id, from_user_id) = greatest(${channel.id}::text collate "C", ${viewerId}::text collate "C")`
      : sql`channel_kind = ${channel.kind} and channel_id = ${channel.id}`;
  const before = beforeMessageId === undefined ? sql`true` : sql`message_id < ${beforeMessageId}::uuid`;
  const { rows } = await sql<HistoryRow>`
    select message_id, channel_kind, channel_id, from_user_id, from_name, text, sent_at_ms from chat_messages
    where realm = ${realm} and status = 'delivered' and ${within} and ${before}
    order by message_id desc limit ${limit + 1}`.execute(database.db);
  const messages = rows.slice(0, limit).map((row) => ({
    messageId: row.message_id as MessageId,
    channel: { kind: row.channel_kind, id: row.channel_id },
    from: { userId: row.from_user_id as UserId, name: row.from_name },
    text: row.text ?? '',
    sentAtMs: row.sent_at_ms,
  }));
  return { messages, hasMore: rows.length > limit };
};
