import { defaultRateOf, Rejection } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anyone } from '../src/connection/event-row.ts';
import { type EventTable, events } from '../src/connection/events.ts';
import { turnsWaitingMax } from '../src/connection/turns.ts';
import { type Client, join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

/** Rows that do what a handler must never do; they borrow names and schemas of the contract. */
const limit = { ...defaultRateOf('session:ping'), ratePerSecond: 10_000, burst: 10_000 };
const row = { limit, order: 'at-once', may: anyone } as const;
const circle: Record<string, unknown> = {};
circle['self'] = circle;
let gates: (() => void)[] = [];
let holding = true;
const order: string[] = [];
const table: EventTable = {
  ...(Object.fromEntries(Object.entries(events).filter(([name]) => name !== 'party:create')) as EventTable),
  'session:ping': { ...events['session:ping'], limit },
  'zone:roster': { ...row, handle: () => { throw new Error('a handler that throws'); } },
  'chat:typing': { ...row, handle: () => Promise.reject(new TypeError('a handler that rejects')) },
  'character:status': { ...row, handle: () => ({ big: 1n }) },
  'character:emote': { ...row, handle: () => circle },
  'presence:watch': { ...row, may: () => { throw new Rejection('room/forbidden', { path: 'userIds' }); }, handle: () => ({ users: {} }) },
  'combat:watch': { ...row, handle: () => new Promise(() => undefined) },
  'party:leave': {
    ...row,
    order: 'in-turn',
    handle: async (_call, { commandId }) => {
      if (holding) await new Promise<void>((resolve) => gates.push(resolve));
      order.push(commandId);
      return {};
    },
  },
  'chat:block': { ...row, handle: () => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })) },
};

let world: TestWorld;
let gateway: TestGateway;
let client: Client;
beforeAll(async () => {
  world = await startWorld();
  // One user connects for each test.
  gateway = await startGateway(world, { CONNECTS_PER_USER_PER_SECOND: '1000' }, { events: table });
});
beforeEach(async () => {
  client = await join(gateway, 'p1');
  return () => { client[Symbol.dispose](); };
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const stillAnswers = async (of = client): Promise<void> => {
  expect(await of.ask('session:ping', { atMs: 7 })).toMatchObject({ ok: true, data: { atMs: 7 } });
};
const errorOf = (answer: { ok: boolean; error?: object }): object | undefined => answer.error;

describe('whatever a client sends, it gets one answer and the process lives', () => {
  it('a good event is answered through its callback', async () => {
    const answer = await client.ask<{ serverTimeMs: number }>('session:ping', { atMs: 1.5 });
    expect(answer).toEqual({ ok: true, data: { atMs: 1.5, serverTimeMs: expect.any(Number) } });
  });

  it.each([['no:such'], ['toString'], ['__proto__'], ['constructor'], ['error'], ['message'], ['x'.repeat(10_000)]])('an unknown event (%.20s) is event/unknown', async (event) => {
    expect(errorOf(await client.ask(event, {}))).toEqual({ code: 'event/unknown', message: 'There is no event of this name.', retry: 'never' });
    await stillAnswers();
  });

  it('an event of the contract that is not served is event/unknown as well', async () => {
    expect(errorOf(await client.ask('party:create', { commandId: 'c' }))).toMatchObject({ code: 'event/unknown' });
  });

  it('a number as the name of an event is event/unknown', async () => {
    client.socket.io.engine.write('2/realm/' + gateway.realm + ',[42,{}]');
    expect(await client.hears('session:refused')).toMatchObject({ event: '42', error: { code: 'event/unknown' } });
    await stillAnswers();
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'x'],
    ['an array', []],
    ['a field too many', { atMs: 1, admin: true }],
    ['a wrong type', { atMs: '1' }],
    ['no number', { atMs: null }],
    ['a prototype', JSON.parse('{"atMs":1,"__proto__":{"x":1}}')],
  ])('a malformed payload (%s) is payload/invalid', async (_what, payload) => {
    expect(errorOf(await client.ask('session:ping', payload))).toMatchObject({ code: 'payload/invalid', retry: 'never' });
    await stillAnswers();
  });

  it('names the path of the first mistake and repeats nothing of the input', async () => {
    const answer = await client.ask('session:ping', { atMs: 'SECRET-INPUT' });
    expect(errorOf(answer)).toMatchObject({ path: 'atMs' });
    expect(JSON.stringify(answer) + gateway.logs.join('')).not.toContain('SECRET-INPUT');
  });

  it('two arguments are payload/invalid', async () => {
    const answer = (await client.socket.timeout(5_000).emitWithAck('session:ping', { atMs: 1 }, { atMs: 2 })) as { ok: boolean };
    expect(errorOf(answer)).toMatchObject({ code: 'payload/invalid' });
  });

  it('without a callback a success is silent and a refusal arrives as session:refused', async () => {
    client.socket.emit('session:ping', { atMs: 1 });
    client.socket.emit('session:ping', { atMs: 'x' });
    expect(await client.hears('session:refused')).toEqual({
      event: 'session:ping',
      error: { code: 'payload/invalid', message: expect.any(String), retry: 'never', path: 'atMs' },
    });
    expect(client.payloads('session:refused')).toHaveLength(1);
  });

  it('something that is no function in the place of the callback is payload/invalid', async () => {
    client.socket.emit('session:ping', { atMs: 1 }, 'not a function');
    expect(await client.hears('session:refused')).toMatchObject({ error: { code: 'payload/invalid' } });
    await stillAnswers();
  });

  it('a long name of an unknown event is cut in the refusal', async () => {
    client.socket.emit('y'.repeat(5_000), {});
    expect((await client.hears<{ event: string }>('session:refused')).event).toBe('y'.repeat(64));
  });

  it('an event before the connection is complete has no effect', async () => {
    client.socket.io.engine.write('2/realm/nowhere,["session:ping",{"atMs":1}]');
    await eventually(() => !client.socket.connected);
  });
});

describe('whatever a handler does, the client gets an answer and the process lives', () => {
  it.each([
    ['throws', 'zone:roster', { zoneId: 'meadow' }],
    ['rejects', 'chat:typing', { channel: { kind: 'zone', id: 'meadow' } }],
  ])('a handler that %s is server/internal, logged with its stack', async (_what, event, payload) => {
    expect(errorOf(await client.ask(event, payload))).toMatchObject({ code: 'server/internal', retry: 'later' });
    expect(gateway.logs.some((line) => line.includes('event-failed') && line.includes(event) && line.includes('stack'))).toBe(true);
    client.socket.emit(event, payload);
    expect(await client.hears('session:refused')).toMatchObject({ event, error: { code: 'server/internal' } });
    await stillAnswers();
  });

  it.each([
    ['a BigInt', 'character:status', { commandId: 'a', status: 'away' }],
    ['a cycle', 'character:emote', { emote: 'wave' }],
  ])('%s in an answer is server/internal', async (_what, event, payload) => {
    expect(errorOf(await client.ask(event, payload))).toMatchObject({ code: 'server/internal' });
    expect(gateway.logs.some((line) => line.includes('answer-unsendable') && line.includes(event))).toBe(true);
    client.socket.emit(event, payload);
    await stillAnswers();
  });

  it('a lost connection below a handler is server/unavailable', async () => {
    expect(errorOf(await client.ask('chat:block', { commandId: 'a', userId: 'p2' }))).toMatchObject({ code: 'server/unavailable', retry: 'later', retryAfterMs: 2_000 });
  });

  it('a refusal of the rule keeps its code and path', async () => {
    expect(errorOf(await client.ask('presence:watch', { userIds: ['p2'] }))).toMatchObject({ code: 'room/forbidden', path: 'userIds' });
  });

  it('a handler that never ends is answered for after its time limit', async () => {
    const answer = (await client.socket.timeout(18_000).emitWithAck('combat:watch', { combatId: 'x' })) as { ok: boolean };
    expect(errorOf(answer)).toMatchObject({ code: 'server/unavailable', retry: 'later' });
  });

  it('an answer for a client that has gone harms nobody', async () => {
    using other = await join(gateway, 'p2');
    const waiting = gates.length;
    other.socket.emit('party:leave', { commandId: 'gone' }, () => undefined);
    await eventually(() => gates.length === waiting + 1);
    other.socket.disconnect();
    await eventually(() => gateway.gateway.realms[0]!.sessions.of('p2' as never).length === 0);
    gates.at(-1)!();
    await stillAnswers();
    gates = [];
  });
});

describe('the order of the events of one socket', () => {
  it('in-turn events wait for each other, at-once events do not', async () => {
    order.length = 0;
    gates = [];
    const first = client.ask('party:leave', { commandId: 'first' });
    const second = client.ask('party:leave', { commandId: 'second' });
    await eventually(() => gates.length === 1);
    await stillAnswers();
    expect(gates).toHaveLength(1);
    gates[0]!();
    await eventually(() => gates.length === 2);
    gates[1]!();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });

  it('too many that wait are refused with server/busy', async () => {
    gates = [];
    await using generous = await startGateway(world, { RATE_LIMIT_SCALE: '10' }, { events: table });
    using eager = await join(generous, 'p4');
    const answers = Array.from({ length: turnsWaitingMax + 3 }, (_, index) => eager.ask('party:leave', { commandId: `w${index}` }));
    const early: unknown[] = [];
    for (const answer of answers) void answer.then(({ ok }) => { if (!ok) early.push(answer); });
    await eventually(() => early.length === 2);
    holding = false;
    gates[0]!();
    const settled = await Promise.all(answers);
    expect(settled.filter(({ ok }) => !ok).map(errorOf)).toEqual([expect.objectContaining({ code: 'server/busy' }), expect.objectContaining({ code: 'server/busy' })]);
  });
});

describe('what breaks the protocol closes the connection, and only that one', () => {
  const closes = async (write: (victim: Client) => void): Promise<void> => {
    using victim = await join(gateway, 'p3');
    write(victim);
    await eventually(() => !victim.socket.connected);
    await stillAnswers();
  };

  it('a second CONNECT', () => closes(({ socket }) => void socket.io.engine.write(`0/realm/${gateway.realm},{"token":"x"}`)));
  it('broken framing', () => closes(({ socket }) => void socket.io.engine.write('9')));
  it('a packet that is no JSON', () => closes(({ socket }) => void socket.io.engine.write(`2/realm/${gateway.realm},[oh`)));
  it('a frame over the size limit', () => closes(({ socket }) => void socket.emit('session:ping', { atMs: 'x'.repeat(70_000) })));
  it('a flood of frames', () =>
    closes(({ socket }) => {
      for (let frame = 0; frame < 500; frame++) socket.emit('no:such', {});
    }));
  it('an acknowledgement that nobody asked for is ignored', async () => {
    client.socket.io.engine.write(`3/realm/${gateway.realm},12[{}]`);
    await stillAnswers();
  });
});
