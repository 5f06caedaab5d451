import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBench, createWorld, type World } from './_bench.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

describe.concurrent('a worker that dies with a message', { timeout: 60_000 }, () => {
  it.each([
    ['committed', 'hello', 'chat:message'],
    ['told', 'hello', 'chat:message'],
    ['committed', 'vileword', 'chat:refused'],
    ['told', 'vileword', 'chat:refused'],
  ])('at "%s" of "%s" leaves one row, told once', async (place, text, event) => {
    await using bench = await createBench(world);
    const fragile = await bench.fragile(place);
    const messageId = await bench.send({ text });
    await fragile.exited;
    await using _worker = await bench.work();
    await bench.idle();
    expect(await bench.told()).toMatchObject([{ event, payload: { messageId } }]);
    const rows = await bench.database.db.selectFrom('chat_messages').select('message_id').where('realm', '=', bench.realm).execute();
    expect(rows).toEqual([{ message_id: messageId }]);
  });

  it('before its verdict is stored leaves the fourth alike spam, and not the third', async () => {
    await using bench = await createBench(world);
    const fragile = await bench.fragile('committed');
    for (let i = 0; i < 4; i += 1) await bench.send({ text: 'all the same' });
    await fragile.exited;
    await using _worker = await bench.work();
    await bench.idle();
    expect((await bench.told()).map(({ event }) => event)).toEqual(['chat:message', 'chat:message', 'chat:message', 'chat:refused']);
  });
});
