import * as fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

import { chatTextSchema } from './chat-text.ts';
import { wireOptions } from './mistakes.ts';

const family = '👩‍👩‍👧';
const messageFor = (text: unknown): string | undefined => v.safeParse(chatTextSchema, text, wireOptions).issues?.[0].message;

describe('[CHT1] chat text', () => {
  it.each([
    ['500 letters', 'a'.repeat(500)],
    ['500 emoji of 4 bytes', '😀'.repeat(500)],
    ['500 letters of two code points', 'e\u0301'.repeat(500)],
    ['111 families of 18 bytes', family.repeat(111)],
    ['two lines', 'a\r\nb'],
  ])('takes %s', (_what, text) => {
    expect(messageFor(text)).toBeUndefined();
  });

  it.each([
    ['501 letters', 'a'.repeat(501)],
    ['501 letters of two code points', 'e\u0301'.repeat(501)],
    ['112 families', family.repeat(112)],
    ['one letter with 1,000 accents', `e${'\u0301'.repeat(1_000)}`],
    ['2,001 bytes in 667 characters', 'कि'.repeat(333) + 'कक'],
    ['a million letters', 'a'.repeat(1_000_000)],
  ])('calls %s too long', (_what, text) => {
    expect(messageFor(text)).toBe('chat/too-long');
  });

  it.each([
    ['nothing', ''],
    ['U+0000', 'a\u0000'],
    ['half of a pair', 'a\ud83d'],
    ['a number', 5],
  ])('[PAY4] takes neither %s', (_what, text) => {
    expect(messageFor(text)).toBeDefined();
    expect(messageFor(text)).not.toBe('chat/too-long');
  });

  it('agrees with a plain count of graphemes and bytes', () => {
    const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
    const text = fc
      .tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 600 }))
      .map(([piece, times]) => piece.repeat(times))
      .filter((candidate) => candidate.isWellFormed() && !candidate.includes('\u0000'));
    fc.assert(
      fc.property(text, (candidate) => {
        const fits = [...segmenter.segment(candidate)].length <= 500 && Buffer.byteLength(candidate) <= 2_000;
        expect(messageFor(candidate)).toBe(fits ? undefined : 'chat/too-long');
      }),
      { numRuns: 60 },
    );
  });
});
