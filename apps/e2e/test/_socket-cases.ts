import { createHash } from 'node:crypto';
import { eventually } from '@skirmish/testing';
import type { Case, Target } from './_conformance-case.ts';
import { type Connection, openers, type TransportName } from './_raw-client.ts';
import { packetType, RawNamespace } from './_raw-socket.ts';

const realmName = '/realm/main';
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 12);
const bytesOf = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => (index * 31 + length) % 256));
const placeholder = { _placeholder: true, num: 0 };
const text = 'Grüße \u{1F409} \u2028 \u001e "quoted" \\ 漢字';
const chat = (words: string) => ({ commandId: 'c1', channel: { kind: 'zone', id: 'meadow' }, text: words });
const acknowledged = (answer: { data: unknown }): unknown => (answer.data as unknown[])[0];

/** Nothing answers DISCONNECT: it has been read when another namespace of the connection answers. */
async function leave(realm: RawNamespace, token: string): Promise<void> {
  const other = await new RawNamespace(realm.connection, '/realm/second').enter(token);
  await realm.send(packetType.disconnect, '');
  await other.state();
}

interface Ways {
  readonly target: Target;
  open(headers?: Record<string, string>): Promise<Connection>;
  /** A connection that has entered the realm. */
  enter(): Promise<RawNamespace>;
}

interface Rule {
  readonly name: string;
  readonly expected: unknown;
  run(ways: Ways): Promise<unknown>;
}

/** Rules of the Socket.IO protocol, version 5, each over every transport. */
const rules: Rule[] = [
  {
    name: 'CONNECT with a payload is answered with a session id that is not the one of the transport',
    expected: { type: 0, sid: 'its own', welcome: 'main', first: 'session:welcome' },
    run: async ({ target, open }) => {
      const connection = await open();
      const realm = new RawNamespace(connection, realmName);
      const { type, data } = await realm.connect({ token: await target.token() });
      const { sid } = data as { sid: string };
      const { payload } = await realm.hears('session:welcome');
      const first = realm.packets().find((packet) => packet.type === packetType.event)?.data as unknown[];
      return { type, sid: sid.length >= 15 && sid !== connection.open.sid ? 'its own' : sid, welcome: (payload as { realm: string }).realm, first: first[0] };
    },
  },
  {
    name: 'CONNECT without a payload is answered as well: the token is in a header',
    expected: { type: 0 },
    run: async ({ target, open }) => {
      const realm = new RawNamespace(await open({ authorization: `Bearer ${await target.token()}` }), realmName);
      return { type: (await realm.connect()).type };
    },
  },
  {
    name: 'CONNECT without a token is answered with CONNECT_ERROR',
    expected: { type: 4, code: 'auth/missing', retry: 'never', events: 0 },
    run: async ({ open }) => {
      const realm = new RawNamespace(await open(), realmName);
      const { type, data } = await realm.connect({});
      const { code, retry } = (data as { data: { code: string; retry: string } }).data;
      return { type, code, retry, events: realm.packets().filter((packet) => packet.type === packetType.event).length };
    },
  },
  {
    name: 'an unknown namespace is answered with CONNECT_ERROR, and the connection serves another one',
    expected: { type: 4, data: { message: 'Invalid namespace' }, then: 0 },
    run: async ({ target, open }) => {
      const connection = await open();
      const { type, data } = await new RawNamespace(connection, '/nowhere').connect({});
      return { type, data, then: (await new RawNamespace(connection, realmName).connect({ token: await target.token() })).type };
    },
  },
  {
    name: 'the main namespace is no realm',
    expected: { type: 4, data: { message: 'Invalid namespace' } },
    run: async ({ target, open }) => {
      const { type, data } = await new RawNamespace(await open(), '/').connect({ token: await target.token() });
      return { type, data };
    },
  },
  {
    name: 'a connection without CONNECT is closed in time',
    expected: { early: false, closed: true },
    run: async ({ target, open }) => {
      const startedAtMs = performance.now();
      const connection = await open();
      await connection.ended();
      return { early: performance.now() - startedAtMs < target.connectTimeoutMs * 0.8, closed: true };
    },
  },
  {
    name: 'two namespaces share a connection: packets stay in theirs, and leaving one leaves the other',
    expected: { ids: 'different', first: ['1'], second: ['2'], after: 'open' },
    run: async ({ target, open }) => {
      const connection = await open();
      const [first, second] = [new RawNamespace(connection, realmName), new RawNamespace(connection, '/realm/second')];
      const answers = [await first.connect({ token: await target.token() }), await second.connect({ token: await target.token() })];
      const [one, two] = answers.map(({ data }) => (data as { sid: string }).sid);
      await first.ask('chat:send', chat('1'));
      await second.ask('chat:send', chat('2'));
      const textsOf = (realm: RawNamespace): string[] => realm.events('app:echo').map(({ payload }) => (payload as { text: string }).text);
      const seen = { ids: one === two ? 'equal' : 'different', first: textsOf(first), second: textsOf(second) };
      await first.send(packetType.disconnect, '');
      return { ...seen, after: await second.state() };
    },
  },
  {
    name: 'DISCONNECT ends the session, not the connection, and CONNECT begins a new one',
    expected: { again: 0, sid: 'new', state: 'open' },
    run: async ({ target, enter }) => {
      const realm = await enter();
      const first = realm.packets().find(({ type }) => type === packetType.connect);
      await leave(realm, await target.token());
      const second = await realm.connect({ token: await target.token() });
      const [one, two] = [first, second].map((packet) => (packet?.data as { sid: string }).sid);
      await realm.hears('session:welcome', 1);
      return { again: second.type, sid: one === two ? 'the same' : 'new', state: await realm.state() };
    },
  },
  {
    name: 'an event after DISCONNECT closes the connection',
    expected: 'closed',
    run: async ({ target, enter }) => {
      const realm = await enter();
      await leave(realm, await target.token());
      return realm.state();
    },
  },
  {
    name: 'a DISCONNECT of the server arrives, and nothing after it',
    expected: { packet: { type: 1, data: undefined }, after: 0 },
    run: async ({ enter }) => {
      const realm = await enter();
      await realm.send(packetType.binaryEvent, JSON.stringify(['party:data', { kind: 'disconnect', bytes: placeholder }]), bytesOf(1));
      const isEnd = ({ type }: { type: number }): boolean => type === packetType.disconnect;
      await eventually(() => realm.packets().some(isEnd), { timeoutMs: 10_000, what: 'DISCONNECT' });
      const packets = realm.packets();
      const at = packets.findIndex(isEnd);
      return { packet: { type: packets[at]?.type, data: packets[at]?.data }, after: packets.length - at - 1 };
    },
  },
  {
    name: 'a connection that the server cuts ends without DISCONNECT, so that a client comes back',
    expected: { disconnects: 0 },
    run: async ({ enter }) => {
      const realm = await enter();
      await realm.send(packetType.binaryEvent, JSON.stringify(['party:data', { kind: 'cut', bytes: placeholder }]), bytesOf(1));
      await realm.connection.ended();
      return { disconnects: realm.packets().filter(({ type }) => type === packetType.disconnect).length };
    },
  },
  {
    name: 'events travel both ways, whatever their text',
    expected: { text, long: 'equal' },
    run: async ({ enter }) => {
      const realm = await enter();
      const long = 'x'.repeat(480);
      await realm.send(packetType.event, JSON.stringify(['chat:send', chat(text)]));
      await realm.send(packetType.event, JSON.stringify(['chat:send', chat(long)]));
      const [one, two] = [await realm.hears('app:echo'), await realm.hears('app:echo', 1)].map(({ payload }) => (payload as { text: string }).text);
      return { text: one, long: two === long ? 'equal' : two };
    },
  },
  {
    name: 'several events that leave together are answered in order',
    expected: { texts: ['1', '2', '3', '4', '5', '6', '7', '8'], answers: [1, 2, 3, 4, 5, 6, 7, 8] },
    run: async ({ enter }) => {
      const realm = await enter();
      const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
      await realm.connection.send(...numbers.map((number) => realm.text(packetType.event, `${number}${JSON.stringify(['chat:send', chat(String(number))])}`)));
      await realm.answered(8);
      return {
        texts: realm.events('app:echo').map(({ payload }) => (payload as { text: string }).text),
        answers: realm.packets().filter(({ type }) => type === packetType.ack).map(({ id }) => id),
      };
    },
  },
  {
    name: 'several events of the server arrive in order',
    expected: [1, 2, 3, 4, 5],
    run: async ({ enter }) => {
      const realm = await enter();
      await realm.ask('party:data', { kind: 'burst', bytes: placeholder }, bytesOf(1));
      await realm.hears('app:number', 4);
      return realm.events('app:number').map(({ payload }) => (payload as { number: number }).number);
    },
  },
  {
    name: 'binary events and binary acknowledgements carry every byte, both ways',
    expected: [0, 1, 255, 4_096, 32_768].map((length) => ({ sent: hash(bytesOf(length)), event: hash(bytesOf(length)), answer: hash(bytesOf(length)) })),
    run: async ({ enter }) => {
      const realm = await enter();
      const seen: unknown[] = [];
      for (const [index, length] of [0, 1, 255, 4_096, 32_768].entries()) {
        const bytes = bytesOf(length);
        const answer = await realm.ask('party:data', { kind: 'echo', bytes: placeholder }, bytes);
        const event = await realm.hears('party:data', index);
        seen.push({ sent: hash(bytes), event: hash(event.attachments[0] ?? Buffer.from('nothing')), answer: hash(answer.attachments[0] ?? Buffer.from('nothing')) });
      }
      return seen;
    },
  },
  {
    name: 'an acknowledgement carries the id of its event, whatever number that is',
    expected: [0, 1, 7, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER].map((id) => ({ id, count: 1, ok: true })),
    run: async ({ enter }) => {
      const realm = await enter();
      const seen: unknown[] = [];
      for (const id of [0, 1, 7, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
        await realm.send(packetType.event, `${id}["session:ping",{"atMs":1}]`);
        const answer = await realm.answered(id);
        await realm.ask('session:ping', { atMs: 2 });
        seen.push({ id, count: realm.answers(id).length, ok: (acknowledged(answer) as { ok: boolean }).ok });
      }
      return seen;
    },
  },
  {
    name: 'an event without an id is not acknowledged, and a refused one says so by an event',
    expected: { acknowledgements: 0, refused: 'payload/invalid' },
    run: async ({ enter }) => {
      const realm = await enter();
      await realm.send(packetType.event, '["session:ping",{"atMs":1}]');
      await realm.send(packetType.event, '["session:ping",{"atMs":"soon"}]');
      const { payload } = await realm.hears('session:refused');
      return { acknowledgements: realm.packets().filter(({ type }) => type === packetType.ack).length, refused: (payload as { error: { code: string } }).error.code };
    },
  },
  {
    name: 'the server asks for an acknowledgement and takes the first one only',
    expected: { question: { question: 1 }, answers: [{ answer: { yes: 1 } }], state: 'open' },
    run: async ({ enter }) => {
      const realm = await enter();
      await realm.ask('party:data', { kind: 'ask', bytes: placeholder }, bytesOf(1));
      const { payload, id } = await realm.hears('app:ask');
      await realm.send(packetType.ack, `${String(id)}[{"yes":1}]`);
      await realm.hears('app:answered');
      await realm.send(packetType.ack, `${String(id)}[{"yes":2}]`);
      await realm.send(packetType.ack, '987654[{"yes":3}]');
      await realm.send(packetType.ack, '[{"yes":4}]');
      const state = await realm.state();
      return { question: payload, answers: realm.events('app:answered').map((event) => event.payload), state };
    },
  },
  {
    name: 'a binary acknowledgement of the client counts, without its bytes: no event asks for any',
    expected: { answers: 1, attachments: 0, state: 'open' },
    run: async ({ enter }) => {
      const realm = await enter();
      await realm.ask('party:data', { kind: 'ask', bytes: placeholder }, bytesOf(1));
      const { id } = await realm.hears('app:ask');
      await realm.send(packetType.binaryAck, `${String(id)}${JSON.stringify([placeholder])}`, bytesOf(300));
      const { attachments } = await realm.hears('app:answered');
      const state = await realm.state();
      return { answers: realm.events('app:answered').length, attachments: attachments.length, state };
    },
  },
];

const transports = Object.keys(openers) as TransportName[];

/** Every rule over polling, WebSocket and polling-then-WebSocket. */
export const socketCases: Case[] = transports.flatMap((transport) =>
  rules.map(({ name, expected, run }) => ({
    name: `${transport}: ${name}`,
    expected,
    run: async (target: Target) => {
      const connections: Connection[] = [];
      const open = async (headers?: Record<string, string>): Promise<Connection> => {
        const connection = await openers[transport](target.url, headers);
        connections.push(connection);
        return connection;
      };
      const enter = async (): Promise<RawNamespace> => new RawNamespace(await open(), realmName).enter(await target.token());
      try {
        return await run({ target, open, enter });
      } finally {
        for (const connection of connections) connection.drop();
      }
    },
  })),
);
