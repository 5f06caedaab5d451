import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { payloadHash } from './payload-hash.ts';

describe('payloadHash', () => {
  it('does not depend on the order of fields, at any depth', () => {
    expect(payloadHash({ a: 1, b: { c: [{ d: 1, e: 2 }], f: 3 } })).toBe(payloadHash({ b: { f: 3, c: [{ e: 2, d: 1 }] }, a: 1 }));
  });

  it('tells payloads apart as JSON does', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (a, b) => {
        const same = canonical(a) === canonical(b);
        expect(payloadHash(a) === payloadHash(b)).toBe(same);
      }),
    );
  });

  it('keeps the order of lists', () => {
    expect(payloadHash({ opponents: ['c1', 'c2'] })).not.toBe(payloadHash({ opponents: ['c2', 'c1'] }));
  });

  it('throws a TypeError on what JSON cannot hold', () => {
    const cycle: { self?: object } = {};
    cycle.self = cycle;
    expect(() => payloadHash(cycle)).toThrow(TypeError);
    expect(() => payloadHash({ a: 1n })).toThrow(TypeError);
  });
});

/** An independent way to one text per value. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.keys(value).sort().map((field) => `${JSON.stringify(field)}:${canonical((value as Record<string, unknown>)[field])}`);
  return `{${fields.join()}}`;
}
