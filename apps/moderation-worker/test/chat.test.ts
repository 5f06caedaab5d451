import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chatHistory } from '@skirmish/database';
import { type Channel, serverEvents, type UserId } from '@skirmish/protocol';
import { type ManagedProcess, startProcess } from '@skirmish/testing';
import * as v from 'valibot';
import { type Bench, createBench, createWorld, meadow, newMessageId, type World } from './_bench.ts';

let world: World;
let bench: Bench;
let worker: ManagedProcess;

beforeAll(async () => {
  world = await createWorld();
  bench = await createBench(world);
  worker = await startProcess({ name: 'moderation worker', entry: new URL('../src/main.ts', import.meta.url), env: bench.env });
});
beforeEach(async () => {
  await bench.redis.xtrim(`{${bench.realm}}:inbox:listener`, 'MAXLEN', 0);
});
afterAll(async () => {
  await worker.stop();
  await bench[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

describe('a message through the lane, by a worker process', () => {
  it('[CHT2] reaches the zone as it may be shown, and stands in the history', async () => {
    const sentAtMs = Date.now();
    const messageId = await bench.send({ text: '  hi\u202e there, mildword \ud800', sentAtMs });
    const [told] = await bench.toldOf(1);
    const message = { messageId, channel: meadow, from: { userId: 'p1', name: 'Player p1' }, text: 'hi there, ********', sentAtMs };
    expect(told).toEqual({ rooms: ['zone:meadow'], event: 'chat:message', payload: message });
    v.parse(serverEvents['chat:message'].schema, told?.payload);
    const history = await chatHistory(bench.database, { realm: bench.realm, channel: meadow, viewerId: 'p2' as UserId, limit: 10 });
    expect(history).toEqual({ messages: [message], hasMore: false });
  });

  it('[CHT2] is refused to its sender alone, and the text is kept nowhere', async () => {
    const messageId = await bench.send({ from: 'auth0|x', text: 'you v1leword', commandId: 'insult' });
    const [told] = await bench.toldOf(1);
    expect(told).toEqual({
      rooms: ['user:auth0%7Cx'],
      event: 'chat:refused',
      payload: { commandId: 'insult', messageId, code: 'chat/profanity', message: 'The message contains a word that is not allowed.' },
    });
    v.parse(serverEvents['chat:refused'].schema, told?.payload);
    const row = await bench.database.db.selectFrom('chat_messages').selectAll().where('message_id', '=', messageId).executeTakeFirstOrThrow();
    expect(row).toMatchObject({ status: 'refused', refusal: 'chat/profanity', text: null });
    expect(worker.output()).not.toContain('v1leword');
  });

  it.each<[Channel, string[]]>([
    [{ kind: 'guild', id: 'red' as never }, ['guild:red']],
    [{ kind: 'party', id: 'x1' as never }, ['party:x1']],
    [{ kind: 'combat', id: 'f1' as never }, ['combat:f1']],
    [{ kind: 'whisper', id: 'p2' as never }, ['user:p2', 'user:p3']],
    [{ kind: 'whisper', id: 'p3' as never }, ['user:p3']],
  ])('[CHT5] to %j reaches %j', async (channel, rooms) => {
    await bench.send({ from: 'p3', channel, text: `to ${channel.kind} ${channel.id}` });
    const [told] = await bench.toldOf(1);
    expect(told).toMatchObject({ rooms, event: 'chat:message', payload: { channel } });
  });

  it('[CHT7] is spam as the fourth alike within ten seconds, in whatever channels, and not with another digit', async () => {
    const nowMs = Date.now();
    const guild: Channel = { kind: 'guild', id: 'blue' as never };
    for (const [i, channel] of [meadow, guild, meadow].entries()) {
      await bench.send({ from: 'p7', channel, text: 'buy my gold', sentAtMs: nowMs + i });
      await bench.toldOf(i + 1);
    }
    const fourth = await bench.send({ from: 'p7', channel: guild, text: 'Buy  my GOLD', sentAtMs: nowMs + 3 });
    const told = await bench.toldOf(4);
    expect(told[3]).toMatchObject({ rooms: ['user:p7'], event: 'chat:refused', payload: { messageId: fourth, code: 'chat/spam', untilMs: nowMs + 10_003 } });
    await bench.send({ from: 'p7', text: 'buy my gold 2', sentAtMs: nowMs + 4 });
    await bench.send({ from: 'p8', text: 'buy my gold', sentAtMs: nowMs + 5 });
    await bench.send({ from: 'p7', text: 'buy my gold', sentAtMs: nowMs + 10_004 });
    expect((await bench.toldOf(7)).slice(4).map(({ event }) => event)).toEqual(['chat:message', 'chat:message', 'chat:message']);
  });

  it('counts once when its command comes again after Redis has forgotten it, also under another id', async () => {
    const first = await bench.send({ text: 'only once', commandId: 'again' });
    await bench.toldOf(1);
    await bench.redis.del(`{${bench.realm}}:command:p1:chat:send:again`);
    await bench.send({ text: 'only once', commandId: 'again', messageId: newMessageId() });
    await bench.idle();
    expect(await bench.told()).toMatchObject([{ payload: { messageId: first } }]);
    const rows = await bench.database.db.selectFrom('chat_messages').select('message_id').where('command_id', '=', 'again').execute();
    expect(rows).toEqual([{ message_id: first }]);
  });

  it('that cannot be stored costs three tries, tells its sender, and holds up nobody behind it', async () => {
    const messageId = await bench.send({ name: 'a\u0000b', text: 'poison', commandId: 'poison' });
    await bench.send({ from: 'p2', text: 'behind it' });
    expect(await bench.toldOf(2)).toMatchObject([
      { rooms: ['user:p1'], event: 'chat:refused', payload: { messageId, commandId: 'poison', code: 'server/internal' } },
      { event: 'chat:message', payload: { text: 'behind it' } },
    ]);
    expect(await bench.redis.llen(`{${bench.realm}}:lane-dead:chat`)).toBe(1);
  });

  it('[CHT3] keeps the order of its channel', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => `line ${i}`);
    for (const [i, text] of texts.entries()) await bench.send({ from: `p${i % 4}`, text });
    expect((await bench.toldOf(40)).map(({ payload }) => payload['text'])).toEqual(texts);
  });
});
