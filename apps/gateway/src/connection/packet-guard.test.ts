import { eventually } from '@skirmish/testing';
import { PacketType } from 'socket.io-parser';
import { afterEach, describe, expect, it } from 'vitest';
import { createGuardedParser } from './packet-guard.ts';

const decoders: { destroy(): void }[] = [];
afterEach(() => {
  for (const decoder of decoders.splice(0)) decoder.destroy();
});

const guarded = (frames = { ratePerSecond: 10, burst: 5 }, attachmentTimeoutMs = 60_000) => {
  const cuts: string[] = [];
  const clock = { nowMs: 0 };
  const binaryEvents = new Set(['party:data']);
  const { Decoder } = createGuardedParser({ frames, binaryEvents, attachmentTimeoutMs, onCut: (reason) => cuts.push(reason), now: () => clock.nowMs });
  const decoded: { type: PacketType; data: unknown; id?: number }[] = [];
  const decoder = new Decoder();
  decoder.on('decoded' as never, ((packet: never) => decoded.push(packet)) as never);
  decoders.push(decoder);
  return { decoder, decoded, cuts, clock };
};
const placeholder = '{"_placeholder":true,"num":0}';

describe('the packet guard', () => {
  it('passes ordinary packets on', () => {
    const { decoder, decoded } = guarded();
    decoder.add('0/realm/main,{"token":"x"}');
    decoder.add('2/realm/main,7["session:ping",{"atMs":1}]');
    expect(decoded).toHaveLength(2);
  });

  it('refuses a second CONNECT of a namespace, and everything after it', () => {
    const { decoder, decoded, cuts } = guarded();
    decoder.add('0/realm/main,');
    expect(() => { decoder.add('0/realm/main,{"a":1}'); }).toThrow('second-connect');
    expect(() => { decoder.add('2/realm/main,["session:ping",{}]'); }).toThrow('second-connect');
    expect(decoded).toHaveLength(1);
    expect(cuts).toEqual(['second-connect']);
  });

  it('allows to connect again after a DISCONNECT, and two realms side by side', () => {
    const { decoder, decoded } = guarded();
    for (const packet of ['0/realm/main,', '1/realm/main,', '0/realm/main,', '0/realm/two,']) decoder.add(packet);
    expect(decoded).toHaveLength(4);
  });

  it('bounds the namespaces of one connection', () => {
    const { decoder } = guarded({ ratePerSecond: 100, burst: 100 });
    for (let realm = 0; realm < 4; realm++) decoder.add(`0/realm/${realm},`);
    expect(() => { decoder.add('0/realm/5,'); }).toThrow('too-many-namespaces');
  });

  it('cuts a flood before it is parsed, and refills with time', () => {
    const { decoder, decoded, clock, cuts } = guarded();
    for (let frame = 0; frame < 5; frame++) decoder.add('2["x",{}]');
    clock.nowMs = 100;
    decoder.add('2["x",{}]');
    expect(() => { decoder.add('not even a packet'); }).toThrow('flood');
    expect(decoded).toHaveLength(6);
    expect(cuts).toEqual(['flood']);
  });

  it('takes one attachment of an event that has one', () => {
    const { decoder, decoded } = guarded();
    decoder.add(`51-/realm/main,7["party:data",{"bytes":${placeholder}}]`);
    expect(decoded).toHaveLength(0);
    decoder.add(Buffer.from([1]));
    expect(decoded).toMatchObject([{ type: PacketType.EVENT, id: 7, data: ['party:data', { bytes: Buffer.from([1]) }] }]);
  });

  it.each(['52-', '50-', '5-', '501-', '51e0-', '5 1-', '5999999999999-', '62-'])('refuses %s["party:data"] for the count of its attachments', (head) => {
    const { decoder, cuts } = guarded();
    expect(() => { decoder.add(`${head}["party:data",{}]`); }).toThrow('bad-attachments');
    expect(cuts).toEqual(['bad-attachments']);
  });

  it.each([
    ['another event', `51-/realm/main,7["chat:send",{"text":${placeholder}}]`, PacketType.EVENT],
    ['a name with an escape', `51-7["party\\u003adata",{"bytes":${placeholder}}]`, PacketType.EVENT],
    ['a space before the name', `51-7[ "party:data",${placeholder}]`, PacketType.EVENT],
    ['an acknowledgement', `61-7[${placeholder}]`, PacketType.ACK],
  ])('passes %s on before its attachment comes, and drops that', (_what, header, type) => {
    const { decoder, decoded, cuts } = guarded();
    decoder.add(header);
    expect(decoded).toMatchObject([{ type, id: 7 }]);
    expect(JSON.stringify(decoded)).toContain('_placeholder');
    decoder.add(Buffer.from([1]));
    decoder.add('2["x",{}]');
    expect(decoded).toHaveLength(2);
    expect(cuts).toEqual([]);
  });

  it('refuses a second attachment, and text in the place of the announced one', () => {
    const two = guarded();
    two.decoder.add(`51-["chat:send",${placeholder}]`);
    two.decoder.add(Buffer.from([1]));
    expect(() => { two.decoder.add(Buffer.from([2])); }).toThrow('when not reconstructing');
    const none = guarded();
    none.decoder.add(`51-["chat:send",${placeholder}]`);
    expect(() => { none.decoder.add('2["x",{}]'); }).toThrow('attachment-missing');
    const awaited = guarded();
    awaited.decoder.add(`51-["party:data",${placeholder}]`);
    expect(() => { awaited.decoder.add('2["x",{}]'); }).toThrow('reconstructing');
  });

  it.each(['party:data', 'chat:send'])('gives up on an attachment of %s that never comes, with a packet that closes the connection', async (event) => {
    const { decoder, decoded, cuts } = guarded(undefined, 30);
    decoder.add(`51-["${event}",${placeholder}]`);
    await eventually(() => cuts.length > 0);
    expect(cuts).toEqual(['attachment-missing']);
    expect(decoded.at(-1)?.type).toBe(PacketType.CONNECT_ERROR);
    expect(() => { decoder.add(Buffer.from([1])); }).toThrow('attachment-missing');
  });

  it('leaves broken framing to Socket.IO, which refuses it', () => {
    const { decoder } = guarded();
    expect(() => { decoder.add('9'); }).toThrow();
  });
});
