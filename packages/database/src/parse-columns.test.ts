import { describe, expect, it } from 'vitest';
import { columnParser, parseSafeInteger, UnsafeIntegerError } from './parse-columns.ts';

describe('[F27] an int8', () => {
  it('is a number as far as JavaScript can name it', () => {
    expect(['0', '-1', '9007199254740991', '-9007199254740991'].map(parseSafeInteger)).toEqual([0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
  });

  it.each(['9007199254740992', '-9007199254740992', '9223372036854775807'])('is refused when it is %s', (text) => {
    expect(() => parseSafeInteger(text)).toThrow(UnsafeIntegerError);
    expect(() => columnParser(20)(text)).toThrow(UnsafeIntegerError);
    expect(() => columnParser(1016)(`{1,${text}}`)).toThrow(UnsafeIntegerError);
  });

  it('is parsed in arrays as well', () => {
    expect(columnParser(1016)('{}')).toEqual([]);
    expect(columnParser(1016)('{1,NULL,-3}')).toEqual([1, null, -3]);
  });
});

describe('other columns', () => {
  it('keep the parsers of the driver, in text and in binary', () => {
    expect(columnParser(16)('t')).toBe(true);
    expect(columnParser(701)('1.5')).toBe(1.5);
    expect(typeof columnParser(16, 'binary')).toBe('function');
  });
});
