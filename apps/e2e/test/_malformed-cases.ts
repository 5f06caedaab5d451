import type { Case, Target } from './_conformance-case.ts';
import { type Connection, openers, type Packet, type TransportName } from './_raw-client.ts';
import { RawNamespace } from './_raw-socket.ts';

const realm = '/realm/main';
const bytes = Buffer.from([1, 2, 3]);

interface Malformed {
  readonly name: string;
  /** Engine.IO packets, the type included. */
  readonly packets: readonly Packet[];
  /** `open`: refused or ignored, and the connection goes on. */
  readonly ends: 'closed' | 'open';
}

/** What no client of version 5 writes, sent by one that is connected to its realm. */
const malformed: readonly Malformed[] = [
  { name: 'an empty message', packets: ['4'], ends: 'closed' },
  { name: 'no packet type', packets: ['4abc'], ends: 'closed' },
  { name: 'packet type 7', packets: [`47${realm},["session:ping",{}]`], ends: 'closed' },
  { name: 'packet type 9 alone', packets: ['49'], ends: 'closed' },
  { name: 'a negative packet type', packets: [`4-1${realm},[]`], ends: 'closed' },
  { name: 'an event that is an object', packets: [`42${realm},{}`], ends: 'closed' },
  { name: 'an event that is a string', packets: [`42${realm},"session:ping"`], ends: 'closed' },
  { name: 'an event that is an empty array', packets: [`42${realm},[]`], ends: 'closed' },
  { name: 'an event that is not complete', packets: [`42${realm},["session:ping",{"atMs":1`], ends: 'closed' },
  { name: 'an event with something behind it', packets: [`42${realm},["session:ping",{"atMs":1}]]`], ends: 'closed' },
  { name: 'an event with a name that is null', packets: [`42${realm},[null,{}]`], ends: 'closed' },
  { name: 'an event with a name that is an object', packets: [`42${realm},[{},{}]`], ends: 'closed' },
  { name: 'an event with a name that is reserved', packets: [`42${realm},["disconnect",{}]`], ends: 'closed' },
  { name: 'an event with the name of a listener', packets: [`42${realm},["newListener",{}]`], ends: 'closed' },
  { name: 'an event with a name that is a number', packets: [`42${realm},[7,{}]`], ends: 'open' },
  { name: 'an event with an unknown name', packets: [`42${realm},["error",{}]`], ends: 'open' },
  { name: 'an event with a name of every object', packets: [`42${realm},["__proto__",{}]`, `42${realm},["constructor",{}]`], ends: 'open' },
  { name: 'an event without a payload', packets: [`42${realm},["session:ping"]`], ends: 'open' },
  { name: 'an event with two payloads', packets: [`42${realm},["session:ping",{"atMs":1},{"atMs":1}]`], ends: 'open' },
  { name: 'an event of a namespace that was never entered', packets: ['42/realm/second,["session:ping",{"atMs":1}]'], ends: 'closed' },
  { name: 'an event of the main namespace', packets: ['42["session:ping",{"atMs":1}]'], ends: 'closed' },
  { name: 'an acknowledgement that is an object', packets: [`43${realm},1{}`], ends: 'closed' },
  { name: 'an acknowledgement that nobody asked for', packets: [`43${realm},1[]`], ends: 'open' },
  { name: 'an acknowledgement with a huge id', packets: [`43${realm},${'9'.repeat(400)}[]`], ends: 'open' },
  { name: 'a second CONNECT', packets: [`40${realm},{}`], ends: 'closed' },
  { name: 'CONNECT with an array', packets: ['40/realm/second,[]'], ends: 'closed' },
  { name: 'CONNECT that is not complete', packets: ['40/realm/second,{"token":'], ends: 'closed' },
  { name: 'DISCONNECT with a payload', packets: [`41${realm},{}`], ends: 'closed' },
  { name: 'CONNECT_ERROR from a client', packets: [`44${realm},{"message":"no"}`], ends: 'closed' },
  { name: 'a binary event without a count', packets: [`45${realm},["party:data",{}]`], ends: 'closed' },
  { name: 'a binary event with no attachments', packets: [`450-${realm},["party:data",{}]`], ends: 'closed' },
  { name: 'a binary event with a count that is no number', packets: [`45x-${realm},["party:data",{}]`], ends: 'closed' },
  { name: 'a binary event with a negative count', packets: [`45-1-${realm},["party:data",{}]`], ends: 'closed' },
  { name: 'a binary event with more attachments than an event may have', packets: [`452-${realm},["party:data",{"kind":"echo","bytes":{"_placeholder":true,"num":0}}]`], ends: 'closed' },
  { name: 'a binary event whose placeholder points nowhere', packets: [`451-${realm},["party:data",{"kind":"echo","bytes":{"_placeholder":true,"num":7}}]`, bytes], ends: 'closed' },
  { name: 'a binary event whose placeholder is no number', packets: [`451-${realm},["party:data",{"kind":"echo","bytes":{"_placeholder":true,"num":"length"}}]`, bytes], ends: 'closed' },
  { name: 'text where an attachment has to come', packets: [`451-${realm},["party:data",{"kind":"echo","bytes":{"_placeholder":true,"num":0}}]`, `42${realm},["session:ping",{"atMs":1}]`], ends: 'closed' },
  { name: 'an attachment that nobody announced', packets: [bytes], ends: 'closed' },
  { name: 'one attachment too many', packets: [`451-${realm},["party:data",{"kind":"echo","bytes":{"_placeholder":true,"num":0}}]`, bytes, bytes], ends: 'closed' },
];

/** The same, from a client that has not entered anything yet. */
const before: readonly Malformed[] = [
  { name: 'an event before CONNECT', packets: [`42${realm},["session:ping",{"atMs":1}]`], ends: 'closed' },
  { name: 'an acknowledgement before CONNECT', packets: [`43${realm},1[]`], ends: 'closed' },
  { name: 'DISCONNECT before CONNECT', packets: [`41${realm},`], ends: 'closed' },
  { name: 'an attachment before CONNECT', packets: [bytes], ends: 'closed' },
  { name: 'two CONNECTs at once', packets: [`40${realm},{}`, `40${realm},{}`], ends: 'closed' },
  { name: 'CONNECT to five namespaces', packets: ['a', 'b', 'c', 'd', 'e'].map((name) => `40/${name},`), ends: 'closed' },
];

const transports = Object.keys(openers) as TransportName[];

async function stateAfter(connection: Connection, packets: readonly Packet[], namespace: RawNamespace): Promise<string> {
  await connection.send(...packets);
  return namespace.state();
}

async function ended(connection: Connection): Promise<string> {
  await connection.ended();
  return 'closed';
}

/** Every malformed packet over every transport: whether the connection survives it. */
export const malformedCases: Case[] = transports.flatMap((transport) => [
  ...malformed.map(({ name, packets, ends }) => ({
    name: `${transport}: ${name}`,
    expected: ends,
    run: async (target: Target) => {
      const connection = await openers[transport](target.url);
      const entered = await new RawNamespace(connection, realm).enter(await target.token());
      const state = await stateAfter(connection, packets, entered);
      connection.drop();
      return state;
    },
  })),
  ...before.map(({ name, packets, ends }) => ({
    name: `${transport}: ${name}`,
    expected: ends,
    run: async (target: Target) => {
      const startedAtMs = performance.now();
      const connection = await openers[transport](target.url);
      await connection.send(...packets);
      const state = await ended(connection);
      // Sooner than by the time limit for CONNECT, which would end it as well.
      return performance.now() - startedAtMs < target.connectTimeoutMs * 0.8 ? state : 'only by the time limit';
    },
  })),
]);
