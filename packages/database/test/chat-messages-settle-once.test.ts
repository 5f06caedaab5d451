import type { MessageId, RealmId, UserId } from '@skirmish/protocol';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chatHistory, settleMessage, type MessageVerdict, type SentMessage, type SettledMessage } from '../src/index.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.database.db.deleteFrom('chat_messages').execute();
});

const realm = 'main' as RealmId;
const startMs = 1_800_000_000_000;
const idOf = (n: number): MessageId => `0192f000-0000-7000-8000-${String(n).padStart(12, '0')}` as MessageId;
const message = (n: number, more: Partial<SentMessage> = {}): SentMessage => ({
  messageId: idOf(n),
  realm,
  channel: { kind: 'zone', id: 'meadow' },
  from: { userId: 'p1' as UserId, name: 'Player 1' },
  commandId: `k${n}`,
  fingerprint: `f${n}`,
  sentAtMs: startMs + n * 1000,
  ...more,
});
const deliver = (): MessageVerdict => ({ kind: 'delivered', text: 'hello' });
const settle = (sent: SentMessage, judge: (alikeBefore: number) => MessageVerdict = deliver): Promise<SettledMessage> =>
  settleMessage(world.database, sent, { memoryMs: 600_000, alikeWindowMs: 10_000, judge });
const history = async (channel: SentMessage['channel'], viewerId = 'p1', more: { limit?: number; beforeMessageId?: MessageId } = {}) =>
  chatHistory(world.database, { realm, channel, viewerId: viewerId as UserId, limit: 50, ...more });
const meadow = { kind: 'zone', id: 'meadow' } as const;

describe('a message', () => {
  it('keeps its first verdict when its step is repeated', async () => {
    expect(await settle(message(1))).toEqual({ messageId: idOf(1), sentAtMs: startMs + 1000, verdict: { kind: 'delivered', text: 'hello' }, repeated: false });
    const again = await settle(message(1), () => {
      throw new Error('must not be judged again');
    });
    expect(again).toEqual({ messageId: idOf(1), sentAtMs: startMs + 1000, verdict: { kind: 'delivered', text: 'hello' }, repeated: true });
  });

  it('that was refused stays refused, and its text is nowhere', async () => {
    const refuse = (): MessageVerdict => ({ kind: 'refused', code: 'chat/profanity', untilMs: 7 });
    await settle(message(1), refuse);
    expect((await settle(message(1))).verdict).toEqual({ kind: 'refused', code: 'chat/profanity', untilMs: 7 });
    expect(await history(meadow)).toEqual({ messages: [], hasMore: false });
    expect(await world.database.db.selectFrom('chat_messages').select('text').execute()).toEqual([{ text: null }]);
  });

  it('that comes under another id by the same command within the memory is the first one; later the command is a new one', async () => {
    await settle(message(1));
    expect(await settle(message(2, { commandId: 'k1' }))).toMatchObject({ messageId: idOf(1), repeated: true });
    expect(await settle(message(3, { commandId: 'k1', from: { userId: 'p2' as UserId, name: '' } }))).toMatchObject({ messageId: idOf(3), repeated: false });
    expect(await settle(message(4, { commandId: 'k1', realm: 'other' as RealmId }))).toMatchObject({ messageId: idOf(4), repeated: false });
    expect(await settle(message(700, { commandId: 'k1' }))).toMatchObject({ messageId: idOf(700), repeated: false });
  });

  it('is stored once when several workers settle it at once', async () => {
    const { db } = world.database;
    await sql`create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return new; end $$`.execute(db);
    await sql`create trigger dawdle before insert on chat_messages for each row execute function dawdle()`.execute(db);
    const settled = await Promise.all([1, 2, 3, 4].map(() => settle(message(1))));
    await sql`drop trigger dawdle on chat_messages`.execute(db);
    expect(settled.filter(({ repeated }) => !repeated)).toHaveLength(1);
    expect((await history(meadow)).messages).toHaveLength(1);
  });

  it('whose judgement fails is not stored', async () => {
    const fail = (): never => {
      throw new RangeError('judge');
    };
    await expect(settle(message(1), fail)).rejects.toThrow(RangeError);
    expect(await settle(message(1))).toMatchObject({ repeated: false });
  });
});

describe('equal messages', () => {
  it('are counted within the window, per user, over all channels', async () => {
    const counts: number[] = [];
    const say = (n: number, more: Partial<SentMessage> = {}) =>
      settle(message(n, { fingerprint: 'same', ...more }), (alikeBefore) => {
        counts.push(alikeBefore);
        return deliver();
      });
    await say(1);
    await say(2, { channel: { kind: 'zone', id: 'forest' } });
    await say(3, { from: { userId: 'p2' as UserId, name: '' } });
    await say(4, { fingerprint: 'different' });
    await say(5);
    await say(12);
    await say(40);
    expect(counts).toEqual([0, 1, 0, 0, 2, 1, 0]);
  });
});

describe('history', () => {
  it('is newest first, in pages', async () => {
    for (let n = 1; n <= 5; n += 1) await settle(message(n));
    await settle(message(6, { channel: { kind: 'zone', id: 'forest' } }));
    const first = await history(meadow, 'p1', { limit: 2 });
    expect(first.messages.map(({ messageId }) => messageId)).toEqual([idOf(5), idOf(4)]);
    expect(first.hasMore).toBe(true);
    const rest = await history(meadow, 'p1', { limit: 3, beforeMessageId: idOf(4) });
    expect(rest.messages.map(({ messageId }) => messageId)).toEqual([idOf(3), idOf(2), idOf(1)]);
    expect(rest.hasMore).toBe(false);
    expect(rest.messages[0]).toEqual({ messageId: idOf(3), channel: meadow, from: { userId: 'p1', name: 'Player 1' }, text: 'hello', sentAtMs: startMs + 3000 });
  });

  it('of a whisper is what the two told each other, and nobody else sees it', async () => {
    const whisper = (n: number, from: string, to: string) => settle(message(n, { from: { userId: from as UserId, name: from }, channel: { kind: 'whisper', id: to } }));
    await whisper(1, 'p1', 'p2');
    await whisper(2, 'p2', 'p1');
    await whisper(3, 'p3', 'p1');
    await whisper(4, 'p1', 'p3');
    const idsOf = async (viewer: string, other: string) => (await history({ kind: 'whisper', id: other }, viewer)).messages.map(({ messageId }) => messageId);
    expect(await idsOf('p1', 'p2')).toEqual([idOf(2), idOf(1)]);
    expect(await idsOf('p2', 'p1')).toEqual([idOf(2), idOf(1)]);
    expect(await idsOf('p2', 'p3')).toEqual([]);
  });
});
