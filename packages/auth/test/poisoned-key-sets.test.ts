import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createKeySet, createVerifier } from '../src/index.ts';
import { claims, codeOf, encode, forge, issuer, jwksOf, makePairs, nowMs, serveJson } from './_issuer.ts';

const pairs = makePairs();
const attacker = makePairs();
const good = forge({ alg: 'ES256', kid: 'ES256' }, claims, 'ES256', pairs.ES256.privateKey);

describe('a poisoned key set', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  const publicJwk = (more: object = {}): object => ({ ...attacker.ES256.publicKey.export({ format: 'jwk' }), kid: 'poison', ...more });
  const byPoison = forge({ alg: 'ES256', kid: 'poison' }, claims, 'ES256', attacker.ES256.privateKey);
  const symmetric = 'an attacker knows this, since he wrote it there';
  it.each([
    ['the same key, well formed, would be taken', publicJwk(), byPoison, 'accepted'],
    ['a symmetric key, HS256', { kty: 'oct', k: encode(symmetric), kid: 'poison', alg: 'HS256' }, forge({ alg: 'HS256', kid: 'poison' }, claims, 'HS256', symmetric), 'auth/invalid'],
    ['a symmetric key that calls itself ES256', { kty: 'oct', k: encode(symmetric), kid: 'poison', alg: 'ES256' }, forge({ alg: 'ES256', kid: 'poison' }, claims, 'HS256', symmetric), 'auth/invalid'],
    ['a private key', { ...attacker.ES256.privateKey.export({ format: 'jwk' }), kid: 'poison' }, byPoison, 'auth/invalid'],
    ['a key for encryption', publicJwk({ use: 'enc' }), byPoison, 'auth/invalid'],
    ['a key for something else', publicJwk({ key_ops: ['encrypt'] }), byPoison, 'auth/invalid'],
    ['a key of another algorithm', publicJwk({ alg: 'ES384' }), byPoison, 'auth/invalid'],
    ['a point that is not on the curve', publicJwk({ y: encode(Buffer.alloc(32, 1)) }), byPoison, 'auth/invalid'],
    ['an RSA key of 1,024 bits', { ...short.publicKey.export({ format: 'jwk' }), kid: 'poison' }, forge({ alg: 'RS256', kid: 'poison' }, claims, 'RS256', short.privateKey), 'auth/invalid'],
    ['a kid that is no text', publicJwk({ kid: ['poison'] }), byPoison, 'auth/invalid'],
    ['an object with a prototype', JSON.parse(`{"__proto__":${JSON.stringify(publicJwk())}}`) as object, byPoison, 'auth/invalid'],
  ])('%s', async (_what, poison, token, outcome) => {
    await using server = await serveJson(() => ({ keys: [poison, ...jwksOf(pairs)] }));
    const poisoned = createVerifier({ issuer, audience: 'skirmish', serviceAudience: 'services', now: () => nowMs, keys: createKeySet({ url: server.url, now: () => nowMs }) });
    expect(await codeOf(token, poisoned)).toBe(outcome);
    expect(await codeOf(good, poisoned)).toBe('accepted');
  });
});
