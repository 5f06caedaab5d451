import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

import { firstMistake, wireOptions } from './mistakes.ts';

describe('[PAY3] a hostile payload', () => {
  it('is not looked at after its first mistake', () => {
    const looked: string[] = [];
    const noticed = (name: string) => v.custom<unknown>(() => looked.push(name) === 0);
    v.safeParse(v.strictObject({ a: noticed('a'), b: noticed('b') }), { a: 1, b: 1 }, wireOptions);
    expect(looked).toEqual(['a']);
  });

  it('is not read once its length is wrong', () => {
    const looked: string[] = [];
    const read = v.check<string>((text) => looked.push(text) > 0);
    v.safeParse(v.pipe(v.string(), v.maxLength(3), read), 'long', wireOptions);
    expect(looked).toEqual([]);
  });
});

describe('[ACK5] firstMistake', () => {
  const mistakeIn = (schema: v.GenericSchema, input: unknown): unknown => {
    const { issues } = v.safeParse(schema, input, wireOptions);
    return issues === undefined ? null : firstMistake(issues[0]).path;
  };

  it('follows the alternative of a union that came furthest', () => {
    const schema = v.union([v.strictObject({ a: v.strictObject({ b: v.number() }) }), v.strictObject({ c: v.number() })]);
    expect(mistakeIn(schema, { a: { b: 'x' } })).toBe('a.b');
    expect(mistakeIn(schema, 5)).toBe('');
  });
});
