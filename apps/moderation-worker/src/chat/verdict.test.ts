import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chatTextSchema } from '@skirmish/protocol';
import * as v from 'valibot';
import { cleanText } from './clean-text.ts';
import { createWordFinder, mask } from './find-words.ts';
import { fingerprintOf } from './fingerprint.ts';
import { skeletonOf } from './skeleton.ts';
import { createJudge } from './verdict.ts';

const judge = createJudge({ masked: ['mildword'], refused: ['vileword'] });
const delivered = (text: string, masked = false) => ({ kind: 'delivered', text, masked });
const refused = (code: string) => ({ kind: 'refused', code });

describe('what may be shown', () => {
  it.each([
    ['controls', 'a\u0000b\u0007c\u001bd\u007fe\u0085', 'abcde'],
    ['marks that turn the direction of writing', 'a\u202eb\u2066c\u2069d\u200ee\u200ff\u061cg', 'abcdefg'],
    ['invisible characters', 'a\u00adb\u200bc\u2060d\ufeffe\u3164f\u2800g', 'abcdefg'],
    ['lone surrogates', 'a\ud800b\udc00c', 'abc'],
    ['private and unassigned characters', 'a\ue000b\u{10ffff}c\u0378d', 'abcd'],
    ['tags that belong to no flag', 'a\u{e0061}\u{e007f}b', 'ab'],
    ['white space around the text', '  a b \n', 'a b'],
  ])('drops %s', (_, text, shown) => {
    expect(cleanText(text)).toBe(shown);
  });

  it.each([
    ['a line feed', 'a\nb', 'a\nb'],
    ['a line feed of Windows', 'a\r\nb', 'a\nb'],
    ['a tab as a blank', 'a\tb', 'a b'],
    ['a family of emoji', '👩‍👩‍👧', '👩‍👩‍👧'],
    ['the flag of Scotland', '🏴󠁧󠁢󠁳󠁣󠁴󠁿!', '🏴󠁧󠁢󠁳󠁣󠁴󠁿!'],
    ['a joiner between Persian letters', 'می‌خواهم', 'می‌خواهم'],
    ['accents, composed', 'e\u0301', 'é'],
    ['four marks upon each other, and no fifth', `a${'\u0316'.repeat(9)}b`, `a${'\u0316'.repeat(4)}b`],
  ])('keeps %s', (_, text, shown) => {
    expect(cleanText(text)).toBe(shown);
  });

  it.each(['\u202e\u200b', '\u200d\ufe0f', ' \t\n ', '\u3164'])('is nothing when nothing can be seen', (text) => {
    expect(judge(text, 0)).toEqual(refused('payload/invalid'));
  });

  it('[CHT1] is refused as too long when its normal form is', () => {
    const grows = '\u{1d160}'.repeat(490);
    expect(v.is(chatTextSchema, grows)).toBe(true);
    expect(judge(grows, 0)).toEqual(refused('chat/too-long'));
  });

  it('is the same when it is cleaned again, and never breaks the contract', () => {
    const pieces = fc.constantFrom('a', ' ', '\n', '\r', '\u200d', '\u0316', 'é', '👩‍👩‍👧', '\u{e0061}', '🏴', '\u202e', '\ud83d', '\u1112', '\u1161', '\ufb01', 'vileword');
    const anything = fc.oneof(fc.array(pieces).map((parts) => parts.join('')), fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)));
    fc.assert(
      fc.property(anything, fc.nat(5), (text, alikeBefore) => {
        expect(cleanText(cleanText(text))).toBe(cleanText(text));
        const verdict = judge(text, alikeBefore);
        if (verdict.kind === 'delivered') expect(v.is(chatTextSchema, verdict.text)).toBe(true);
        expect(judge(text, alikeBefore)).toEqual(verdict);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the words', () => {
  it.each([
    'vileword',
    'such a VILEWORD!',
    'v1leword',
    'v!l3w0rd',
    'vviiileeewoorrd',
    'v.i.l.e.w.o.r.d',
    'v i l e w o r d',
    'v i l e word',
    'ｖｉｌｅｗｏｒｄ',
    '𝓿𝓲𝓵𝓮𝔀𝓸𝓻𝓭',
    'vıleword',
    'víléwörd',
    'vilеwоrd',
    'vi\u200bl\u00adeword',
    'vi\u200dleword',
    'vilewords',
    'ⓥⓘⓛⓔⓦⓞⓡⓓ',
    `v${'i'.repeat(400)}leword`,
  ])('[CHT6] refuse %s', (text) => {
    expect(judge(text, 0)).toEqual(refused('chat/profanity'));
  });

  it.each(['evil words', 'a vile word', 'vile, word', 'wordvile', 'hello', '1337', '🎉', 'Straße', 'ηέα λέξη', '今日は'])('let %s pass', (text) => {
    expect(judge(text, 0)).toEqual(delivered(text));
  });

  it('[CHT6] are masked by an asterisk for each character that is seen', () => {
    expect(judge('such a mildword here', 0)).toEqual(delivered('such a ******** here', true));
    expect(judge('MildWord, m1ldw0rd and mildmildword', 0)).toEqual(delivered('********, ******** and mild********', true));
    expect(judge('m.i.l.d.w.o.r.d!', 0)).toEqual(delivered(`${'*'.repeat(15)}!`, true));
    expect(judge('míldword', 0)).toEqual(delivered('********', true));
  });

  it('weigh more than repetition, and repetition more than a mask', () => {
    expect(judge('vileword', 9)).toEqual(refused('chat/profanity'));
    expect(judge('mildword', 3)).toEqual(refused('chat/spam'));
  });

  it('are found wherever they stand between other words', () => {
    const other = fc.constantFrom('so', 'hello', 'the', 'x', '42', '🎉', '...', 'мир');
    fc.assert(
      fc.property(fc.array(other), fc.array(other), fc.constantFrom('mildword', 'MILDWORD', 'm1ldw0rd', 'miiildword'), (before, after, word) => {
        const text = [...before, word, ...after].join(' ');
        const verdict = judge(text, 0);
        expect(verdict).toMatchObject({ kind: 'delivered', masked: true });
        expect(createWordFinder(['mildword'])(skeletonOf(verdict.kind === 'delivered' ? verdict.text : ''))).toEqual([]);
      }),
    );
  });

  it('are masked once where they overlap, and a list may be empty', () => {
    const find = createWordFinder(['abcd', 'cdef', '']);
    expect(mask('xabcdefx', find(skeletonOf('xabcdefx')))).toBe('x******x');
    expect(createWordFinder([])(skeletonOf('anything'))).toEqual([]);
  });

  it('are looked for in time in proportion to the text', () => {
    const worst = ['vi'.repeat(999), 'a\u0316'.repeat(900), 'v i '.repeat(500), '\u{e0061}'.repeat(500), 'l'.repeat(2_000)];
    for (const text of worst) {
      const tookMs = Array.from({ length: 3 }, () => {
        const startedAtMs = performance.now();
        judge(text, 0);
        return performance.now() - startedAtMs;
      });
      expect(Math.min(...tookMs)).toBeLessThan(250);
    }
  });
});

describe('repetition', () => {
  it('[CHT7] is spam from the fourth on', () => {
    expect([0, 1, 2, 3, 4].map((before) => judge('hello', before).kind)).toEqual(['delivered', 'delivered', 'delivered', 'refused', 'refused']);
    expect(judge('hello', 3)).toEqual(refused('chat/spam'));
  });

  it('[CHT7] does not depend on case, blanks or what cannot be seen, but on digits', () => {
    const same = ['Hello  there', 'hello there', 'HELLO\u200b THERE ', 'ｈｅｌｌｏ there'];
    expect(new Set(same.map(fingerprintOf)).size).toBe(1);
    expect(fingerprintOf('round 1')).not.toBe(fingerprintOf('round 2'));
    expect(fingerprintOf('hello')).not.toBe(fingerprintOf('hel1o'));
    expect(fingerprintOf('hello')).toMatch(/^[0-9a-f]{32}$/);
  });
});
