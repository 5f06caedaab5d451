import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { checkLaneKey, doorbellIdOf, escapeName, laneKeyBytesMax, timerIdOf } from './lane-key.ts';

describe('names from lane keys', () => {
  it('hold no colon and no brace, are no integers and are different for different keys', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(escapeName(a)).toMatch(/^[A-Za-z0-9_.~-]+$/);
        expect(timerIdOf(a)).not.toMatch(/^\d+$/);
        expect(doorbellIdOf(a) === doorbellIdOf(b)).toBe(a === b);
      }),
    );
  });

  it('do not confuse an escape with the text that looks like one', () => {
    expect(escapeName(':')).not.toBe(escapeName('~3a~'));
    expect(new Set([':a', '~3a~a', '3a~a', 'a'].map(escapeName)).size).toBe(4);
  });
});

describe('checkLaneKey', () => {
  it('takes any well-formed text within the limit', () => {
    for (const key of ['c1', 'auth0|x', '{realm}:x', '__proto__', '7', '\n\u0000', '👾'.repeat(laneKeyBytesMax / 4)]) {
      expect(() => checkLaneKey(key)).not.toThrow();
    }
  });

  it('refuses nothing, too much, and text that is two keys in memory and one in Redis', () => {
    for (const key of ['', 'x'.repeat(laneKeyBytesMax + 1), '\ud800', 'a\udc00']) expect(() => checkLaneKey(key)).toThrow(TypeError);
  });
});
