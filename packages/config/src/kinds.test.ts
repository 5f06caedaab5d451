import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { choice, decimal, flag, host, integer, list, milliseconds, text, url } from './kinds.ts';
import { readText, type Variable } from './variable.ts';

const description = 'for tests';
const accepts = <Value>(of: Variable<Value>, input: string): Value | 'refused' => {
  const result = readText(of, input);
  return result === null ? 'refused' : result.value;
};

describe('integer', () => {
  const port = integer('PORT', { description, min: 0, max: 65_535, default: 3000, developmentDefault: 4000 });

  it('reads every whole number from min to max and no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: -200_000, max: 200_000 }), (value) => {
        expect(accepts(port, String(value))).toBe(value >= 0 && value <= 65_535 ? value : 'refused');
      }),
    );
  });

  it.each(['', 'abc', '1.5', '1e3', '0x10', '1 2', 'Infinity', 'NaN', '99999999999999999999'])('refuses "%s"', (input) => {
    expect(accepts(port, input)).toBe('refused');
  });

  it('turns its defaults into text and says what it expects', () => {
    expect(port).toMatchObject({ default: '3000', developmentDefault: '4000', expects: 'a whole number from 0 to 65535' });
    expect(integer('PORT', { description, min: 0, max: 9 })).not.toHaveProperty('default');
  });

  it('refuses a default outside of its own bounds', () => {
    expect(() => integer('PORT', { description, min: 0, max: 9, default: 10 })).toThrow(TypeError);
  });
});

describe('milliseconds', () => {
  it('is a whole number whose description names the unit', () => {
    const grace = milliseconds('GRACE_MS', 'Time to wait', [100, 5_000, 60_000]);
    expect(grace).toMatchObject({ default: '5000', description: 'Time to wait, milliseconds' });
    expect(['99', '100', '60000', '60001'].map((input) => accepts(grace, input))).toEqual(['refused', 100, 60_000, 'refused']);
  });
});

describe('decimal', () => {
  const scale = decimal('SCALE', { description, min: -1, max: 10, default: 0.5 });

  it('reads whole and decimal numbers within its bounds', () => {
    expect(accepts(scale, '0.25')).toBe(0.25);
    expect(accepts(scale, '-1')).toBe(-1);
    expect(accepts(scale, '10')).toBe(10);
    expect(scale.expects).toBe('a number from -1 to 10');
  });

  it.each(['-1.01', '10.01', '1,5', '.5', '5.', 'half'])('refuses "%s"', (input) => {
    expect(accepts(scale, input)).toBe('refused');
  });
});

describe('text', () => {
  const name = text('NAME_TEXT', { description, lengthMin: 2, lengthMax: 4 });

  it('bounds the length', () => {
    expect(['a', 'ab', 'abcd', 'abcde'].map((input) => accepts(name, input))).toEqual(['refused', 'ab', 'abcd', 'refused']);
    expect(name.expects).toBe('a text of 2 to 4 characters');
  });

  it('takes 1 to 256 characters when nothing else is said', () => {
    const any = text('ANY_TEXT', { description });
    expect(accepts(any, 'x'.repeat(256))).toBe('x'.repeat(256));
    expect(accepts(any, 'x'.repeat(257))).toBe('refused');
    expect(accepts(any, '')).toBe('refused');
  });

  it('refuses control characters', () => {
    expect(accepts(name, 'a\nb')).toBe('refused');
  });
});

describe('flag', () => {
  it('reads true, false, 1 and 0 only', () => {
    const on = flag('ON', { description });
    expect(['true', 'false', '1', '0', 'yes', 'TRUE'].map((input) => accepts(on, input))).toEqual([true, false, true, false, 'refused', 'refused']);
  });
});

describe('choice', () => {
  it('reads its words only and names them', () => {
    const mode = choice('MODE', { description, words: ['fast', 'safe'], default: 'safe' });
    expect(['fast', 'safe', 'Fast', ''].map((input) => accepts(mode, input))).toEqual(['fast', 'safe', 'refused', 'refused']);
    expect(mode.expects).toBe('one of fast, safe');
  });
});

describe('url', () => {
  const redis = url('A_URL', { description, schemes: ['redis:', 'rediss:'] });

  it('reads URLs with its schemes as they are', () => {
    expect(accepts(redis, 'redis://user:pw@host:6379/0')).toBe('redis://user:pw@host:6379/0');
    expect(accepts(redis, 'rediss://host')).toBe('rediss://host');
    expect(redis.expects).toBe('a URL that begins with redis:// or rediss://');
  });

  it.each(['http://host', 'host:6379', 'redis://', 'redis:host', '', `redis://${'h'.repeat(2_048)}`])('refuses "%s"', (input) => {
    expect(accepts(redis, input)).toBe('refused');
  });
});

describe('host', () => {
  const address = host('A_HOST', { description });

  it.each(['127.0.0.1', '0.0.0.0', '::1', '::', 'localhost', 'gateway-1.internal.example', 'a'])('reads "%s"', (input) => {
    expect(accepts(address, input)).toBe(input);
  });

  it.each(['127.0.0.1:3000', 'http://host', 'a b', '-a', 'a-', 'a..b', '', `${'a'.repeat(64)}.b`, Array(130).fill('a').join('.')])('refuses "%s"', (input) => {
    expect(accepts(address, input)).toBe('refused');
  });
});

describe('list', () => {
  const item = v.pipe(v.string(), v.regex(/^[a-z]+$/));
  const words = list('WORDS', { description, item, expectsItems: 'words', countMin: 1, countMax: 3 });

  it('splits at commas, trims and drops empty items', () => {
    expect(accepts(words, ' a, b ,,c,')).toEqual(['a', 'b', 'c']);
    expect(words.expects).toBe('1 to 3 different words between commas');
  });

  it.each(['', ',', 'a,b,c,d', 'a,a', 'a,B'])('refuses "%s": too few, too many, repeated or no item', (input) => {
    expect(accepts(words, input)).toBe('refused');
  });

  it('may be empty when nothing else is said', () => {
    expect(accepts(list('WORDS', { description, item, expectsItems: 'words', countMax: 3 }), ',')).toEqual([]);
  });
});
