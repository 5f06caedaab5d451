import { describe, expect, it } from 'vitest';
import { isOfKind } from './token-kind.ts';

describe('isOfKind: access', () => {
  it.each([
    [undefined, undefined],
    ['JWT', undefined],
    ['jwt', 'Bearer'],
    ['at+jwt', 'access'],
    ['application/at+jwt', undefined],
    [undefined, 'at+JWT'],
  ])('takes header %s and claim %s', (header, claim) => {
    expect(isOfKind('access', header, claim)).toBe(true);
  });

  it.each([
    ['refresh', undefined],
    ['logout+jwt', undefined],
    ['dpop+jwt', undefined],
    ['JWT', 'Refresh'],
    [undefined, 'ID'],
    ['', undefined],
    [5, undefined],
    [null, undefined],
  ])('refuses header %s and claim %s', (header, claim) => {
    expect(isOfKind('access', header, claim)).toBe(false);
  });
});

describe('isOfKind: refresh', () => {
  it('takes nothing but our own header', () => {
    expect(isOfKind('refresh', 'refresh', undefined)).toBe(true);
    expect(['JWT', undefined, 'at+jwt'].map((header) => isOfKind('refresh', header, 'refresh'))).toEqual([false, false, false]);
  });
});
