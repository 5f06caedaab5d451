import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hidden, printable } from './hidden.ts';

describe('printable', () => {
  it('shows values as their variables have them', () => {
    expect([undefined, 'x', 5, true, ['a', 'b'], { a: 1 }].map((value) => printable(value))).toEqual(['', 'x', '5', 'true', 'a,b', '{"a":1}']);
  });

  it.each([
    ['redis://user:pw@host:6379/0', `redis://user:${hidden}@host:6379/0`],
    ['redis://:pw@host', `redis://:${hidden}@host`],
    ['redis://user@host', 'redis://user@host'],
    ['postgres://host/db?user=x&password=pw&sslmode=require', `postgres://host/db?user=x&password=${hidden}&sslmode=require`],
    ['postgres://u:p@h/db?sslkey=x#f', `postgres://u:${hidden}@h/db?sslkey=${hidden}#f`],
    ['https://origin.example', 'https://origin.example'],
    ['a text with :// in it', 'a text with :// in it'],
  ])('%s is shown as %s', (value, shown) => {
    expect(printable(value)).toBe(shown);
  });

  it('never shows a password of a URL, in any list', () => {
    const password = fc.stringMatching(/^[a-zA-Z0-9!$*+:._~@/?#-]{8,30}$/).map((end) => `pw-${end}`);
    fc.assert(
      fc.property(password, (secret) => {
        const shown = printable([`redis://user:${secret}@host:6379/0`, `redis://:${secret}@other`]);
        expect(shown).toBe(`redis://user:${hidden}@host:6379/0,redis://:${hidden}@other`);
      }),
    );
  });
});
