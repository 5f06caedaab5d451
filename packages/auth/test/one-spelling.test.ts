import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeySet, createVerifier } from '../src/index.ts';
import { type Algorithm, asymmetric, claims, codeOf, forge, issuer, jwksOf, makePairs, nowMs, secret, serveJson } from './_issuer.ts';

const pairs = makePairs();
const tokens: Record<Algorithm, string> = {
  HS256: forge({ alg: 'HS256' }, claims, 'HS256', secret),
  ES256: forge({ alg: 'ES256', kid: 'ES256' }, claims, 'ES256', pairs.ES256.privateKey),
  EdDSA: forge({ alg: 'EdDSA', kid: 'EdDSA' }, claims, 'EdDSA', pairs.EdDSA.privateKey),
  RS256: forge({ alg: 'RS256', kid: 'RS256' }, claims, 'RS256', pairs.RS256.privateKey),
};
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const refused = /^auth\/(?:malformed|invalid)$/;

describe.each(['HS256', ...asymmetric] as const)('[TOK1] a token of %s', (algorithm) => {
  const token = tokens[algorithm];
  const replaced = (position: number, character: string): string => token.slice(0, position) + character + token.slice(position + 1);
  const withVerifier = async (check: (verifier: ReturnType<typeof createVerifier>) => Promise<void>): Promise<void> => {
    await using server = await serveJson(() => ({ keys: jwksOf(pairs) }));
    const verifier = createVerifier({ secret, keys: createKeySet({ url: server.url, now: () => nowMs }), issuer, audience: 'skirmish', now: () => nowMs });
    expect(await codeOf(token, verifier)).toBe('accepted');
    await check(verifier);
  };

  it('is refused with any other byte at any place', () =>
    withVerifier(async (verifier) => {
      for (let position = 0; position < token.length; position += 1) {
        // Every place, with a handful of bytes of all kinds at each.
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)), async (character) => {
            fc.pre(character !== token[position]);
            expect(await codeOf(replaced(position, character), verifier)).toMatch(refused);
          }),
          { numRuns: 5, examples: [['=']] },
        );
      }
    }), 60_000);

  it('is refused with any other letter of the alphabet as the last of a part, whose bits may mean nothing', () =>
    withVerifier(async (verifier) => {
      const ends = [token.indexOf('.') - 1, token.lastIndexOf('.') - 1, token.length - 1];
      for (const position of ends) {
        for (const letter of alphabet) {
          if (letter !== token[position]) expect(await codeOf(replaced(position, letter), verifier)).toMatch(refused);
        }
      }
    }));

  it('is refused with a byte more or less at any place', () =>
    withVerifier(async (verifier) => {
      await fc.assert(
        fc.asyncProperty(fc.nat({ max: token.length }), fc.constantFrom(...`${alphabet}.= \n\0`.split('')), async (position, character) => {
          expect(await codeOf(token.slice(0, position) + character + token.slice(position), verifier)).toMatch(refused);
          if (position < token.length) expect(await codeOf(token.slice(0, position) + token.slice(position + 1), verifier)).toMatch(refused);
        }),
        { numRuns: 300 },
      );
    }));
});
