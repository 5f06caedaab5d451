import { describe, expect, it } from 'vitest';
import { createGuardedParser } from './packet-guard.ts';

const guarded = (frames = { ratePerSecond: 10, burst: 5 }) => {
  const cuts: string[] = [];
  const clock = { nowMs: 0 };
  const { Decoder } = createGuardedParser({ frames, onCut: (reason) => cuts.push(reason), now: () => clock.nowMs });
  const decoded: unknown[] = [];
  const decoder = new Decoder();
  decoder.on('decoded' as never, ((packet: unknown) => decoded.push(packet)) as never);
  return { decoder, decoded, cuts, clock };
};

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

  it('takes one binary attachment and refuses two', () => {
    const { decoder } = guarded();
    decoder.add('51-["party:data",{"bytes":{"_placeholder":true,"num":0}}]');
    decoder.add(Buffer.from([1]));
    expect(() => { decoder.add('52-["party:data",{}]'); }).toThrow('too many attachments');
  });

  it('leaves broken framing to Socket.IO, which refuses it', () => {
    const { decoder } = guarded();
    expect(() => { decoder.add('9'); }).toThrow();
  });
});
