import { expect, it } from 'vitest';
import { signingKey } from './signing-key.ts';

it('takes a secret of 32 bytes, counted as UTF-8', () => {
  expect(signingKey('é'.repeat(16)).symmetricKeySize).toBe(32);
});

it('refuses a shorter one and does not repeat it', () => {
  expect(() => signingKey('s'.repeat(31))).toThrow(new RangeError('the secret has 31 bytes, at least 32 are needed'));
});
