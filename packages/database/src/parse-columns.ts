import pg from 'pg';

const int8 = 20;
const int8Array = 1016;

/** A column that holds an integer beyond ±(2^53 − 1): JavaScript cannot name it, so the query is refused instead of rounding. */
export class UnsafeIntegerError extends Error {
  override readonly name = 'UnsafeIntegerError';
}

/** Text of an int8 as a number. Throws UnsafeIntegerError beyond ±(2^53 − 1): BigInt and rounded values never get in. */
export const parseSafeInteger = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new UnsafeIntegerError('an int8 column holds an integer that is not safe in JavaScript');
  return value;
};

const parseSafeIntegers = (text: string): (number | null)[] => {
  const inner = text.slice(1, -1);
  return inner === '' ? [] : inner.split(',').map((part) => (part === 'NULL' ? null : parseSafeInteger(part)));
};

/** The parsers of one pool; the driver's global ones stay as they are. */
export const columnTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary');
    if (oid === int8) return parseSafeInteger;
    if (oid === int8Array) return parseSafeIntegers;
    return pg.types.getTypeParser(oid, 'text');
  }) as typeof pg.types.getTypeParser,
};
