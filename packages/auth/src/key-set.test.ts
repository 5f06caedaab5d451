import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Rejection } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKeySet, type KeySetOptions } from './key-set.ts';
import { createVerifier } from './create-verifier.ts';

const startMs = 1_700_000_000_000;
const algorithms = ['ES256', 'EdDSA', 'RS256'] as const;
type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

describe('a key set', () => {
  const pairs = {} as Record<(typeof algorithms)[number], Pair>;
  let answer: { status: number; body: string; location?: string };
  let asked: number;
  let nowMs: number;
  let hold: boolean;
  /** Answers that wait to be given, while the issuer is to keep silent. */
  const held: (() => void)[] = [];
  const server = createServer((_request, response) => {
    asked += 1;
    const release = (): void => { response.writeHead(answer.status, { connection: 'close', ...(answer.location === undefined ? {} : { location: answer.location }) }).end(answer.body); };
    if (hold) held.push(release);
    else release();
  });
  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;

  beforeAll(async () => {
    for (const algorithm of algorithms) pairs[algorithm] = await generateKeyPair(algorithm, { extractable: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  }));
  beforeEach(async () => {
    asked = 0;
    nowMs = startMs;
    hold = false;
    serve(await Promise.all(algorithms.map((algorithm) => jwkOf(algorithm))));
  });
  afterEach(() => { server.closeAllConnections(); });

  const serve = (keys: unknown[]): void => { answer = { status: 200, body: JSON.stringify({ keys }) }; };
  const jwkOf = async (algorithm: (typeof algorithms)[number], more: object = {}): Promise<JWK> => ({ ...(await exportJWK(pairs[algorithm].publicKey)), kid: algorithm, ...more });
  const keySet = (options: Partial<KeySetOptions> = {}) => createKeySet({ url: url(), now: () => nowMs, ...options });
  const sign = (algorithm: (typeof algorithms)[number], { kid = algorithm, key = pairs[algorithm].privateKey }: { kid?: string | null; key?: Pair['privateKey'] } = {}): Promise<string> =>
    new SignJWT({}).setProtectedHeader({ alg: algorithm, ...(kid === null ? {} : { kid }) }).setSubject('p1').setIssuedAt(nowMs / 1_000).setExpirationTime(nowMs / 1_000 + 60).sign(key);
  const verifierOf = (keys = keySet(), secret?: string) => createVerifier({ keys, secret, now: () => nowMs });
  const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'accepted', (error: unknown) => (error instanceof Rejection ? error.code : `threw ${String(error)}`));

  it.each(algorithms)('verifies %s, by kid and without one, with one fetch for all of them', async (algorithm) => {
    const verifier = verifierOf();
    expect(await verifier.verify(await sign(algorithm))).toMatchObject({ userId: 'p1' });
    expect(await codeOf(verifier.verify(await sign(algorithm, { kid: null })))).toBe('accepted');
    await Promise.all(Array.from({ length: 50 }, async () => verifier.verify(await sign(algorithm))));
    expect(asked).toBe(1);
  });

  it('takes tokens of a secret and of the set side by side', async () => {
    const secret = 'a secret of a studio, 32 bytes at least';
    const verifier = verifierOf(keySet(), secret);
    const old = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject('p2').setIssuedAt(nowMs / 1_000).setExpirationTime(nowMs / 1_000 + 60).sign(Buffer.from(secret));
    expect(await verifier.verify(old)).toMatchObject({ userId: 'p2' });
    expect(await verifier.verify(await sign('ES256'))).toMatchObject({ userId: 'p1' });
    expect(await codeOf(verifierOf().verify(old))).toBe('auth/invalid');
  });

  it('never lets a public key be the secret of an HS256 token', async () => {
    const pem = JSON.stringify(await jwkOf('RS256'));
    const forged = await new SignJWT({}).setProtectedHeader({ alg: 'HS256', kid: 'RS256' }).setSubject('p1').setIssuedAt(nowMs / 1_000).setExpirationTime(nowMs / 1_000 + 60).sign(Buffer.from(pem));
    expect(await codeOf(verifierOf().verify(forged))).toBe('auth/invalid');
  });

  it.each([
    ['a key for encryption', async () => jwkOf('ES256', { use: 'enc' })],
    ['a private key', async () => ({ ...(await exportJWK(pairs.ES256.privateKey)), kid: 'ES256' })],
    ['a symmetric key', () => Promise.resolve({ kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ', kid: 'ES256' })],
    ['a key of another algorithm', async () => jwkOf('ES256', { alg: 'ES384' })],
    ['a damaged key', async () => jwkOf('ES256', { x: '!!' })],
    ['no object', () => Promise.resolve('key')],
  ])('leaves out %s', async (_, make) => {
    serve([await make(), await jwkOf('EdDSA')]);
    expect(await codeOf(verifierOf().verify(await sign('ES256')))).toBe('auth/invalid');
    expect(await codeOf(verifierOf().verify(await sign('EdDSA')))).toBe('accepted');
  });

  it('leaves out an RSA key that is too short', async () => {
    const { publicKey, privateKey } = await import('node:crypto').then(({ generateKeyPairSync }) => generateKeyPairSync('rsa', { modulusLength: 1_024 }));
    serve([{ ...publicKey.export({ format: 'jwk' }), kid: 'RS256' }, await jwkOf('EdDSA')]);
    expect(privateKey.type).toBe('private');
    expect(await keySet().keysFor({ kid: 'RS256', algorithm: 'RS256' })).toEqual([]);
  });

  it('follows a rotation: an unknown kid is looked for once, and not again within 30 s', async () => {
    const verifier = verifierOf();
    await verifier.verify(await sign('ES256'));
    const old = await sign('ES256');
    pairs.ES256 = await generateKeyPair('ES256', { extractable: true });
    serve([await jwkOf('ES256', { kid: 'next' })]);
    nowMs += 31_000;
    expect(await codeOf(verifier.verify(await sign('ES256', { kid: 'next' })))).toBe('accepted');
    expect(asked).toBe(2);
    for (let n = 0; n < 20; n += 1) expect(await codeOf(verifier.verify(await sign('ES256', { kid: `guess-${n}` })))).toBe('auth/invalid');
    expect(asked).toBe(2);
    expect(await codeOf(verifier.verify(old))).toBe('auth/invalid');
  });

  it('while the issuer keeps silent, few wait for it: the others are sent away at once, and known keys never wait', async () => {
    const keys = keySet({ waitingMax: 3 });
    const verifier = verifierOf(keys);
    await verifier.verify(await sign('ES256'));
    nowMs += 31_000;
    hold = true;
    const unknown = await sign('ES256', { kid: 'unknown' });
    const waiting = Array.from({ length: 3 }, () => codeOf(verifier.verify(unknown)));
    const sentAway = await Promise.all(Array.from({ length: 20 }, () => codeOf(verifier.verify(unknown))));
    expect(sentAway).toEqual(Array.from({ length: 20 }, () => 'server/unavailable'));
    expect(await codeOf(verifier.verify(await sign('ES256')))).toBe('accepted');
    expect(await Promise.race([...waiting, Promise.resolve('waiting')])).toBe('waiting');
    await eventually(() => held.length === 1);
    for (const release of held.splice(0)) release();
    expect(await Promise.all(waiting)).toEqual(['auth/invalid', 'auth/invalid', 'auth/invalid']);
    expect(asked).toBe(2);
  });

  it('few wait for the first set, too', async () => {
    const verifier = verifierOf(keySet({ waitingMax: 3 }));
    hold = true;
    const token = await sign('ES256');
    const waiting = Array.from({ length: 3 }, () => codeOf(verifier.verify(token)));
    expect(await codeOf(verifier.verify(token))).toBe('server/unavailable');
    await eventually(() => held.length === 1);
    for (const release of held.splice(0)) release();
    expect(await Promise.all(waiting)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  it('keeps the last good set for a day while the issuer is away, and refuses for the moment after that', async () => {
    const keys = keySet();
    const verifier = verifierOf(keys);
    await verifier.verify(await sign('RS256'));
    answer = { status: 500, body: 'down' };
    nowMs += 3_600_000;
    expect(await codeOf(verifier.verify(await sign('RS256')))).toBe('accepted');
    await eventually(() => asked === 2);
    nowMs += 86_400_000 - 3_600_000 - 1_000;
    expect(await codeOf(verifier.verify(await sign('RS256')))).toBe('accepted');
    expect(keys.ageMs()).toBe(86_400_000 - 1_000);
    nowMs += 2_000;
    expect(await codeOf(verifier.verify(await sign('RS256')))).toBe('server/unavailable');
    serve([await jwkOf('RS256')]);
    nowMs += 31_000;
    expect(await codeOf(verifier.verify(await sign('RS256')))).toBe('accepted');
  });

  it.each([
    ['never answered well', () => { answer = { status: 503, body: '' }; }],
    ['is no JSON', () => { answer = { status: 200, body: '<html>' }; }],
    ['has no usable key', () => { serve([]); }],
    ['is too large', () => { serve([{ kty: 'EC', filler: 'x'.repeat(70_000) }]); }],
    ['has too many keys', () => { serve(Array.from({ length: 40 }, () => ({ kty: 'EC' }))); }],
    ['points elsewhere', () => { answer = { status: 302, body: '', location: '/other' }; }],
  ])('a set that %s is unavailable, not a reason to let anybody in', async (_, prepare) => {
    prepare();
    const outcomes: string[] = [];
    const verifier = verifierOf(keySet({ onFetch: (outcome) => outcomes.push(outcome) }));
    expect(await codeOf(verifier.verify(await sign('ES256')))).toBe('server/unavailable');
    expect(outcomes).toEqual(['failed']);
  });

  it('a bad set does not replace a good one', async () => {
    const verifier = verifierOf();
    await verifier.verify(await sign('EdDSA'));
    serve([]);
    nowMs += 601_000;
    expect(await codeOf(verifier.verify(await sign('EdDSA')))).toBe('accepted');
    await eventually(() => asked === 2);
    expect(await codeOf(verifier.verify(await sign('EdDSA')))).toBe('accepted');
  });
});
