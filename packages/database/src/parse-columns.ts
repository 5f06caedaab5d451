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

type ColumnParser = (value: string) => unknown;
const driverParser = pg.types.getTypeParser as (oid: number, format: string) => ColumnParser;

/** How a column of a type is read; what is not said here stays as the driver has it. */
export const columnParser = (oid: number, format = 'text'): ColumnParser => {
  if (format === 'text' && oid === int8) return parseSafeInteger;
  if (format === 'text' && oid === int8Array) return parseSafeIntegers;
  return driverParser(oid, format);
};

/** For one pool; the driver's global parsers stay as they are. */
export const columnTypes = { getTypeParser: columnParser } as pg.CustomTypesConfig;
