import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { optional, readText, variable, withDefault } from './variable.ts';

const even = v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number), v.check((value) => value % 2 === 0));
const definition = { schema: even, expects: 'an even number', description: 'for tests' };

describe('variable', () => {
  it('is required and no secret unless it says so', () => {
    expect(variable('EVEN', definition)).toMatchObject({ name: 'EVEN', required: true, secret: false });
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(variable('EVEN', definition))).toBe(true);
    expect(Object.isFrozen(optional(variable('EVEN', definition)))).toBe(true);
    expect(Object.isFrozen(withDefault(variable('EVEN', definition), '2'))).toBe(true);
  });

  it.each(['even', '1EVEN', 'EV EN', '', 'E'.repeat(65)])('refuses the name "%s"', (name) => {
    expect(() => variable(name, definition)).toThrow(TypeError);
  });

  it.each(['default', 'developmentDefault', 'example'] as const)('refuses a %s that its own schema refuses', (field) => {
    expect(() => variable('EVEN', { ...definition, [field]: '3' })).toThrow(`the ${field} of EVEN is refused by its own schema`);
    expect(() => variable('EVEN', { ...definition, [field]: '4' })).not.toThrow();
  });

  it('refuses a secret with a default, but not with a development default', () => {
    expect(() => variable('EVEN', { ...definition, secret: true, default: '2' })).toThrow('EVEN is a secret');
    expect(() => variable('EVEN', { ...definition, secret: true, developmentDefault: '2' })).not.toThrow();
  });
});

describe('optional', () => {
  it('changes only whether the variable must be set', () => {
    const even = variable('EVEN', definition);
    expect(optional(even)).toEqual({ ...even, required: false });
  });
});

describe('withDefault', () => {
  it('replaces the default', () => {
    expect(withDefault(variable('EVEN', { ...definition, default: '2' }), '4').default).toBe('4');
  });

  it('checks the new default like the first', () => {
    expect(() => withDefault(variable('EVEN', definition), '5')).toThrow('refused by its own schema');
    expect(() => withDefault(variable('EVEN', { ...definition, secret: true }), '4')).toThrow('is a secret');
  });
});

describe('readText', () => {
  it('answers the value, or null for what the schema refuses', () => {
    expect(readText(variable('EVEN', definition), '12')).toEqual({ value: 12 });
    expect(readText(variable('EVEN', definition), '13')).toBeNull();
  });
});
