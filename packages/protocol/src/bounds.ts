/**
 * Schema pieces that carry their limit with them: nothing that a client sends is accepted without an upper bound, and the
 * bound is checked before the content, so that an oversized value costs nothing.
 */
import * as v from 'valibot';

/** A string of 1 to `lengthMax` characters that match `form`, which must be a linear pattern. */
export const token = (lengthMax: number, form: RegExp) =>
  v.pipe(v.string(), v.minLength(1), v.maxLength(lengthMax), v.regex(form));

/** An integer from `min` to `max`; negative zero becomes zero. */
export const integer = (min: number, max: number = Number.MAX_SAFE_INTEGER) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max), v.transform(withoutNegativeZero));

/** A finite number from `-max` to `max`; negative zero becomes zero. */
export const finite = (max: number = Number.MAX_SAFE_INTEGER) =>
  v.pipe(v.number(), v.finite(), v.minValue(-max), v.maxValue(max), v.transform(withoutNegativeZero));

/** Epoch milliseconds of the server. */
export const epochMs = integer(0);

/** An array of at most `lengthMax` items; the length is checked before any item. */
export const listOf = <const Item extends v.GenericSchema>(item: Item, lengthMax: number) =>
  v.pipe(v.custom<v.InferInput<Item>[]>(Array.isArray), v.maxLength(lengthMax), v.array(item));

/** A line for people, such as a name or a reason: well-formed Unicode without U+0000 and at most `lengthMax` UTF-16 units. */
export const sentence = (lengthMax: number) =>
  v.pipe(v.string(), v.minLength(1), v.maxLength(lengthMax), v.check(isStorable));

/** True for text that every database and every encoder takes unchanged: no U+0000, no lone surrogate. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

function withoutNegativeZero(value: number): number {
  return value + 0;
}
