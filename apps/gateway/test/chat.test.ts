import { createDatabase } from '@skirmish/database';
import { keysOf, createRedis } from '@skirmish/redis';
import { services } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
const redis = createRedis({ url: services().redisUrl, name: 'test', role: 'command' });
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  redis.disconnect();
});

const channel = { kind: 'zone', id: 'meadow' };
const say = (commandId: string, text: string, more: object = {}) => ({ commandId, channel, text, ...more });
const waiting = async (): Promise<string[]> => redis.lrange(keysOf(gateway.realm as never).lane('chat', 'zone:meadow'), 0, -1);

describe('chat:send', () => {
  it('puts the message on the lane of its channel and answers with its id', async () => {
    using client = await join(gateway, 'p1');
    const answer = await client.ask<{ messageId: string }>('chat:send', say('one', 'hello <b>world</b>'));
    if (!answer.ok) throw new Error(answer.error.code);
    expect(answer.data.messageId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const found = (await waiting()).find((record) => record.includes(answer.data.messageId));
    expect(found).toContain('hello <b>world</b>');
    expect(found).toContain('Player 1');
  });

  it('gives the same answer to the same command, which has one effect', async () => {
    using client = await join(gateway, 'p2');
    const before = (await waiting()).length;
    const [first, second] = [await client.ask('chat:send', say('same', 'once')), await client.ask('chat:send', say('same', 'once'))];
    expect(first).toMatchObject({ ok: true });
    expect(second).toEqual(first);
    expect((await waiting()).length).toBe(before + 1);
    expect(await client.ask('chat:send', say('same', 'something else'))).toMatchObject({ ok: false, error: { code: 'payload/invalid', path: 'commandId' } });
  });

  it('keeps the order in which one socket sent', async () => {
    using client = await join(gateway, 'p3');
    await Promise.all(Array.from({ length: 15 }, (_, index) => client.ask('chat:send', say(`n${index}`, `number ${index}.`))));
    const numbers = (await waiting()).flatMap((record) => /number (\d+)\./.exec(record)?.[1] ?? []).map(Number);
    expect(numbers).toEqual(Array.from({ length: 15 }, (_, index) => index));
  });

  it.each([
    ['a zone that is not the own', { channel: { kind: 'zone', id: 'forest' } }, 'room/forbidden'],
    ['a guild', { channel: { kind: 'guild', id: 'blue' } }, 'room/forbidden'],
    ['a channel with a room name', { channel: { kind: 'room', id: 'user:p1' } }, 'payload/invalid'],
    ['an empty text', { text: '' }, 'payload/invalid'],
    ['a text over 500 graphemes', { text: 'x'.repeat(501) }, 'chat/too-long'],
    ['a text over 2,000 bytes', { text: '👩‍👩‍👧‍👦'.repeat(100) }, 'chat/too-long'],
    ['a lone surrogate', { text: 'a\ud800b' }, 'payload/invalid'],
    ['a command id that is none', { commandId: 'a b' }, 'payload/invalid'],
    ['a sender of the own choice', { from: 'p9' }, 'payload/invalid'],
  ])('refuses %s', async (_what, change, code) => {
    using client = await join(gateway, 'p4');
    expect(await client.ask('chat:send', { ...say('x', 'text'), ...change })).toMatchObject({ ok: false, error: { code } });
  });

  it('refuses a muted player until the mute ends', async () => {
    await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
    await database.db.insertInto('sanctions').values({ user_id: 'p5', kind: 'mute', reason: 'test', created_by: 'test', until_ms: Date.now() + 60_000 }).execute();
    await database.db.insertInto('sanctions').values({ user_id: 'p6', kind: 'mute', reason: 'test', created_by: 'test' }).execute();
    using muted = await join(gateway, 'p5');
    using forEver = await join(gateway, 'p6');
    const answer = await muted.ask('chat:send', say('m', 'hello'));
    expect(answer).toMatchObject({ ok: false, error: { code: 'chat/muted', retryAfterMs: expect.any(Number) } });
    expect(await forEver.ask('chat:send', say('m', 'hello'))).toMatchObject({ ok: false, error: { code: 'chat/muted' } });
  });

  it('[CMD2] answers a repeated message again, also when its sender has been muted since', async () => {
    using client = await join(gateway, 'p8');
    const first = await client.ask('chat:send', say('before', 'hello'));
    expect(first).toMatchObject({ ok: true });
    const session = gateway.gateway.realms[0]!.sessions.of('p8' as never)[0]!;
    session.player = { ...session.player, mute: { reason: 'since', untilMs: null } };
    const before = (await waiting()).length;
    expect(await client.ask('chat:send', say('before', 'hello'))).toEqual(first);
    for (const other of [say('after', 'hello'), say('before', 'something else')]) {
      expect(await client.ask('chat:send', other)).toMatchObject({ ok: false, error: { code: 'chat/muted' } });
    }
    expect(await waiting()).toHaveLength(before);
  });

  it('logs no text', async () => {
    using client = await join(gateway, 'p7');
    await client.ask('chat:send', say('private', 'a-very-private-text'));
    expect(gateway.logs.join('')).not.toContain('a-very-private-text');
  });
});

describe('chat:typing', () => {
  it('reaches the others in the channel, on every gateway, and not the one who types', async () => {
    await using other = await startGateway(world, { REALMS: gateway.realm });
    using typist = await join(gateway, 'p8');
    using second = await join(gateway, 'p8');
    using near = await join(gateway, 'p9');
    using far = await join(other, 'p10');
    expect(await typist.ask('chat:typing', { channel })).toEqual({ ok: true, data: {} });
    for (const client of [near, far]) expect(await client.hears('chat:typing')).toEqual({ channel, userId: 'p8' });
    const heard = near.heard.find(({ event }) => event === 'chat:typing');
    expect(heard?.args).toHaveLength(1);
    expect([...typist.payloads('chat:typing'), ...second.payloads('chat:typing')]).toEqual([]);
  });
});
