import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Admission } from './admission.ts';

const admissionOf = (options: { ratePerSecond?: number; burst?: number; socketsPerAddressMax?: number; random?: () => number } = {}) => {
  const { ratePerSecond = 10, burst = 20, socketsPerAddressMax = 3, random = () => 0 } = options;
  const clock = { nowMs: 0 };
  return { clock, admission: new Admission({ handshakes: { ratePerSecond, burst }, socketsPerAddressMax, now: () => clock.nowMs, random }) };
};

describe('the admission of handshakes', () => {
  it('lets a burst in, then as many per second as the rate says', () => {
    const { admission, clock } = admissionOf();
    const admitted = (): number => Array.from({ length: 100 }, (_, index) => admission.refuse(`a${index}`)).filter((refusal) => refusal === null).length;
    expect(admitted()).toBe(20);
    expect(admitted()).toBe(0);
    clock.nowMs = 1_000;
    expect(admitted()).toBe(10);
    clock.nowMs = 100_000;
    expect(admitted()).toBe(20);
  });

  it('hints at a time from one to three seconds that differs', () => {
    const numbers = [0, 0.5, 1];
    const { admission } = admissionOf({ burst: 0, random: () => numbers.shift() ?? 0 });
    const hints = [1, 2, 3].map(() => admission.refuse('a'));
    expect(hints.map((refusal) => refusal?.retryAfterMs)).toEqual([1_000, 2_000, 3_000]);
    expect(hints.every((refusal) => refusal?.code === 'server/busy')).toBe(true);
  });

  it('counts the open sessions of each address, and forgets an address with its last one', () => {
    const { admission } = admissionOf();
    const sessions = Array.from({ length: 3 }, () => new EventEmitter());
    for (const session of sessions) admission.opened('a', session);
    expect(admission.refuse('a')).toMatchObject({ code: 'rate/limited', retryAfterMs: 1_000 });
    expect(admission.refuse('b')).toBeNull();
    sessions[0]?.emit('close');
    expect(admission.refuse('a')).toBeNull();
    sessions[1]?.emit('close');
    sessions[2]?.emit('close');
    expect(admission.addressCount).toBe(0);
  });

  it('takes no token for what an address has too much of', () => {
    const { admission } = admissionOf({ burst: 1, ratePerSecond: 0, socketsPerAddressMax: 1 });
    admission.opened('full', new EventEmitter());
    expect(admission.refuse('full')?.code).toBe('rate/limited');
    expect(admission.refuse('other')).toBeNull();
  });

  it('takes nothing of what an address may do for what the gateway has too much of', () => {
    const clock = { nowMs: 0 };
    const admission = new Admission({ handshakes: { ratePerSecond: 1, burst: 1 }, handshakesPerAddress: 1, socketsPerAddressMax: 100, now: () => clock.nowMs });
    expect(admission.refuse('first')).toBeNull();
    for (let n = 0; n < 100; n += 1) expect(admission.refuse('patient')?.code).toBe('server/busy');
    clock.nowMs = 1_000;
    expect(admission.refuse('patient')).toBeNull();
  });
});
