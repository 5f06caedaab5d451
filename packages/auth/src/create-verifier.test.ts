import { createHmac, generateKeyPairSync } from 'node:crypto';
import { Rejection, tokenLengthMax } from '@skirmish/protocol';
import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createVerifier, type VerifierOptions } from './create-verifier.ts';
import { signRefreshToken, signToken, type SignOptions } from './sign-token.ts';

const secret = 'a secret of a studio, 32 bytes at least';
const nowMs = 1_700_000_000_000;
const nowSeconds = nowMs / 1_000;

const verifierOf = (options: Partial<VerifierOptions> = {}): ReturnType<typeof createVerifier> => createVerifier({ secret, now: () => nowMs, ...options });
const sign = async (options: Partial<SignOptions> = {}): Promise<string> => (await signToken({ secret, userId: 'p1', ttlSeconds: 60, nowMs, ...options })).token;

/** A token as a foreign issuer may write it: any claims and header, signed with our secret. */
function foreign(claims: object, header: object = { alg: 'HS256' }, key = secret): string {
  const encode = (part: object | string): string => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}
const complete = { sub: 'p1', iat: nowSeconds, exp: nowSeconds + 60 };

async function codeOf(token: unknown, options: Partial<VerifierOptions> = {}): Promise<string> {
  try {
    await verifierOf(options).verify(token);
    return 'accepted';
  } catch (error) {
    if (error instanceof Rejection) return error.code;
    throw error;
  }
}

describe('verify: identity', () => {
  it('is a player of any realm when the token says no more', async () => {
    expect(await verifierOf().verify(await sign())).toEqual({ userId: 'p1', roles: ['player'], expiresAtMs: nowMs + 60_000, issuedAtMs: nowMs });
  });

  it('has character, realm and roles where the token names them', async () => {
    const token = await sign({ userId: 'us-east-1:x|ü', characterId: 'c#1', realm: 'main', roles: ['player', 'moderator'] });
    expect(await verifierOf().verify(token)).toEqual({
      userId: 'us-east-1:x|ü',
      characterId: 'c#1',
      realm: 'main',
      roles: ['player', 'moderator'],
      expiresAtMs: nowMs + 60_000,
      issuedAtMs: nowMs,
    });
  });

  it('drops claims and roles that it does not know', async () => {
    const identity = await verifierOf().verify(foreign({ ...complete, roles: ['admin', 'moderator', 'moderator'], email: 'x@example.com' }));
    expect(identity).toEqual({ userId: 'p1', roles: ['moderator'], expiresAtMs: nowMs + 60_000, issuedAtMs: nowMs });
    expect((await verifierOf().verify(foreign({ ...complete, roles: [] }))).roles).toEqual([]);
  });

  it('takes fractions of seconds as the standard allows them', async () => {
    expect(await verifierOf().verify(foreign({ ...complete, exp: nowSeconds + 0.5 }))).toMatchObject({ expiresAtMs: nowMs + 500 });
  });

  it('needs neither typ nor jti', async () => {
    expect(await codeOf(foreign(complete))).toBe('accepted');
    expect(await codeOf(foreign(complete, { alg: 'HS256', typ: 'at+jwt', kid: 'k1' }))).toBe('accepted');
  });
});

describe('verify: form', () => {
  it.each([undefined, null, ''])('%s is auth/missing', async (token) => {
    expect(await codeOf(token)).toBe('auth/missing');
  });

  it.each([
    ['a number', 5],
    ['an object', { token: 'x' }],
    ['one word', 'token'],
    ['two parts', 'a.b'],
    ['four parts', 'a.b.c.d'],
    ['parts that are no JSON', 'a.b.c'],
    ['white space around it', ` ${foreign(complete)}`],
    ['a header that is no object', foreign(complete, ['HS256'])],
    ['claims that are no object', foreign([1])],
    ['no signature', foreign(complete).replace(/[^.]+$/, '')],
  ])('%s is auth/malformed', async (_, token) => {
    expect(await codeOf(token)).toBe('auth/malformed');
  });

  it('looks at 8,192 characters and refuses one more before any parsing', async () => {
    const fill = (length: number): string => foreign({ ...complete, filler: 'x'.repeat(length) });
    const base = fill(0).length;
    const longest = Math.floor(((tokenLengthMax - base) * 3) / 4);
    expect(fill(longest).length).toBeLessThanOrEqual(tokenLengthMax);
    expect(fill(longest).length).toBeGreaterThan(tokenLengthMax - 3);
    expect(await codeOf(fill(longest))).toBe('accepted');
    expect(await codeOf(fill(longest + 4))).toBe('auth/malformed');
  });

  it('answers a Rejection to anything at all', async () => {
    const parts = fc.array(fc.oneof(fc.base64String(), fc.string(), fc.json().map((text) => Buffer.from(text).toString('base64url'))), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), parts.map((all) => all.join('.'))), async (token) => {
        expect(await codeOf(token)).toMatch(/^auth\/(?:missing|malformed|invalid)$/);
      }),
    );
  });
});

describe('verify: signature', () => {
  it('refuses another secret, changed claims and a cut signature', async () => {
    expect(await codeOf(foreign(complete, { alg: 'HS256' }, 'another secret of 32 bytes or more'))).toBe('auth/invalid');
    const [header, , signature] = foreign(complete).split('.');
    const claims = Buffer.from(JSON.stringify({ ...complete, sub: 'p2' })).toString('base64url');
    expect(await codeOf(`${header}.${claims}.${signature}`)).toBe('auth/invalid');
    expect(await codeOf(foreign(complete).slice(0, -3))).toBe('auth/invalid');
  });

  it('refuses a token without signature', async () => {
    const unsecured = new UnsecuredJWT({}).setSubject('p1').setIssuedAt(nowSeconds).setExpirationTime(nowSeconds + 60).encode();
    expect(await codeOf(unsecured)).toBe('auth/malformed');
    expect(await codeOf(foreign(complete, { alg: 'none' }))).toBe('auth/invalid');
  });

  it.each(['HS384', 'HS512'])('refuses %s although the secret fits', async (alg) => {
    const token = await new SignJWT(complete).setProtectedHeader({ alg }).sign(Buffer.from(secret.repeat(2)));
    expect(await codeOf(token, { secret: secret.repeat(2) })).toBe('auth/invalid');
  });

  it('refuses an asymmetric algorithm', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(await codeOf(await new SignJWT(complete).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey))).toBe('auth/invalid');
  });

  it.each([{ typ: 5 }, { typ: null }, { b64: false, crit: ['b64'] }, { alg: 5 }, { crit: 'x' }])('refuses the header %j', async (header) => {
    expect(await codeOf(foreign(complete, { alg: 'HS256', ...header }))).toMatch(/^auth\/(?:invalid|malformed)$/);
  });

  it('follows no key that a header brings or points to', async () => {
    const header = { alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' }, jku: 'https://evil.example', kid: '../x', x5u: 'https://evil.example' };
    expect(await codeOf(foreign(complete, header))).toBe('accepted');
    expect(await codeOf(foreign(complete, header, 'another secret of 32 bytes or more'))).toBe('auth/invalid');
  });

  it('refuses critical header parameters that it does not know', async () => {
    expect(await codeOf(foreign(complete, { alg: 'HS256', crit: ['x'], x: 1 }))).toBe('auth/invalid');
  });

  it('needs a secret of 32 bytes', () => {
    expect(() => createVerifier({ secret: 's'.repeat(31) })).toThrow(RangeError);
  });
});

describe('verify: time', () => {
  it.each([
    ['before its end', nowSeconds + 1, 'accepted'],
    ['4 s after its end, within the tolerance', nowSeconds - 4, 'accepted'],
    ['6 s after its end', nowSeconds - 6, 'auth/expired'],
  ])('%s', async (_, exp, code) => {
    expect(await codeOf(foreign({ ...complete, iat: nowSeconds - 60, exp }))).toBe(code);
  });

  it('has another tolerance where given', async () => {
    const late = foreign({ ...complete, iat: nowSeconds - 60, exp: nowSeconds - 20 });
    expect(await codeOf(late, { clockToleranceSeconds: 30 })).toBe('accepted');
    expect(await codeOf(foreign({ ...complete, exp: nowSeconds - 1 }), { clockToleranceSeconds: 0 })).toBe('auth/expired');
  });

  it.each([0, 1, 123, 499, 500, 999])('reads an iat with %s ms exactly, and knows it from the whole second', async (ms) => {
    const issuedAtMs = nowMs - 60_000 + ms;
    expect(await verifierOf().verify(foreign({ ...complete, iat: issuedAtMs / 1_000 }))).toMatchObject({ issuedAtMs });
    expect(await verifierOf().verify(await sign({ nowMs: issuedAtMs }))).toMatchObject({ issuedAtMs, expiresAtMs: nowMs });
  });

  it('reads every millisecond exactly, and cuts off what is finer', async () => {
    const verifier = verifierOf({ clockToleranceSeconds: 0 });
    for (let issuedAtMs = nowMs - 1_000; issuedAtMs <= nowMs; issuedAtMs += 1) {
      expect(await verifier.verify(foreign({ ...complete, iat: issuedAtMs / 1_000 }))).toMatchObject({ issuedAtMs });
    }
    expect(await verifier.verify(foreign({ ...complete, iat: nowSeconds - 0.0004 }))).toMatchObject({ issuedAtMs: nowMs - 1 });
  });

  it('takes a token of this very millisecond without any tolerance, and none of the next', async () => {
    const nowMs = 1_700_000_000_750;
    const options = { now: () => nowMs, clockToleranceSeconds: 0 };
    expect(await codeOf(foreign({ ...complete, iat: nowMs / 1_000 }), options)).toBe('accepted');
    expect(await codeOf(foreign({ ...complete, iat: (nowMs + 1) / 1_000 }), options)).toBe('auth/invalid');
  });

  it('says that a token ends when it is too old, where its exp is later', async () => {
    const iat = nowSeconds - 60;
    const options = { ageSecondsMax: 600, clockToleranceSeconds: 0 };
    const expiryOf = async (exp: number): Promise<number> => (await verifierOf(options).verify(foreign({ ...complete, iat, exp }))).expiresAtMs;
    expect(await expiryOf(nowSeconds + 31_536_000)).toBe(nowMs + 540_000);
    expect(await expiryOf(nowSeconds + 539)).toBe(nowMs + 539_000);
  });

  it('refuses a token from the future, by iat or nbf', async () => {
    expect(await codeOf(foreign({ ...complete, iat: nowSeconds + 4 }))).toBe('accepted');
    expect(await codeOf(foreign({ ...complete, iat: nowSeconds + 6 }))).toBe('auth/invalid');
    expect(await codeOf(foreign({ ...complete, nbf: nowSeconds + 6 }))).toBe('auth/invalid');
  });

  it('reads the clock of the host when it has no other', async () => {
    const { token } = await signToken({ secret, userId: 'p1', ttlSeconds: 60 });
    await expect(createVerifier({ secret }).verify(token)).resolves.toMatchObject({ userId: 'p1' });
  });
});

describe('verify: claims', () => {
  it.each(['sub', 'iat', 'exp'])('needs %s', async (claim) => {
    expect(await codeOf(foreign({ ...complete, [claim]: undefined }))).toBe('auth/invalid');
  });

  it.each([
    { sub: '' },
    { sub: 5 },
    { sub: 'a\nb' },
    { sub: 'x'.repeat(129) },
    { cid: 'c 1' },
    { cid: null },
    { realm: 'with#hash' },
    { realm: '' },
    { roles: 'moderator' },
    { roles: [1] },
    { roles: Array.from({ length: 17 }, () => 'player') },
    { roles: ['x'.repeat(65)] },
    { aud: [1] },
    { exp: 1e300 },
    { typ: 'refresh' },
    { typ: 5 },
  ])('refuses %j', async (claims) => {
    expect(['auth/invalid', 'auth/malformed']).toContain(await codeOf(foreign({ ...complete, ...claims })));
  });

  it('checks the issuer where one is configured', async () => {
    expect(await codeOf(await sign({ issuer: 'studio' }), { issuer: 'studio' })).toBe('accepted');
    expect(await codeOf(await sign({ issuer: 'other' }), { issuer: 'studio' })).toBe('auth/invalid');
    expect(await codeOf(await sign(), { issuer: 'studio' })).toBe('auth/invalid');
    expect(await codeOf(await sign({ issuer: 'other' }))).toBe('accepted');
  });

  it('checks the audience where one is configured', async () => {
    expect(await codeOf(await sign({ audience: 'skirmish' }), { audience: 'skirmish' })).toBe('accepted');
    expect(await codeOf(foreign({ ...complete, aud: ['x', 'skirmish'] }), { audience: 'skirmish' })).toBe('accepted');
    expect(await codeOf(await sign({ audience: 'other' }), { audience: 'skirmish' })).toBe('auth/invalid');
    expect(await codeOf(await sign(), { audience: 'skirmish' })).toBe('auth/invalid');
    expect(await codeOf(await sign({ audience: 'other' }))).toBe('accepted');
  });
});

describe('verify: backends', () => {
  const audiences = { audience: 'skirmish', serviceAudience: 'services' };

  it.each(['service', 'system'] as const)('takes the role %s only with the service audience', async (role) => {
    expect(await codeOf(await sign({ roles: [role], ...audiences }), audiences)).toBe('accepted');
    expect(await codeOf(await sign({ roles: [role], audience: 'skirmish' }), audiences)).toBe('auth/invalid');
    expect(await codeOf(await sign({ roles: ['player', role] }), audiences)).toBe('auth/invalid');
  });

  it('refuses the service audience to everybody else', async () => {
    expect(await codeOf(await sign({ roles: ['player'], audience: 'services' }), { serviceAudience: 'services' })).toBe('auth/invalid');
    expect(await codeOf(foreign({ ...complete, aud: ['services', 'skirmish'] }), audiences)).toBe('auth/invalid');
  });

  it.each([['service'], ['system'], ['player', 'service']] as const)('%s %s is no player, whatever its audience', async (...roles) => {
    for (const options of [audiences, {}]) {
      const token = await sign({ roles, ...options });
      expect(await codeOf(token, options)).toBe('accepted');
      await expect(verifierOf(options).verifyPlayer(token)).rejects.toMatchObject({ code: 'auth/invalid' });
    }
    expect(await verifierOf(audiences).verifyPlayer(await sign({ roles: ['moderator'], ...audiences }))).toMatchObject({ roles: ['moderator'] });
  });

  it('does not ask for it where none is configured', async () => {
    expect(await codeOf(await sign({ roles: ['service'] }))).toBe('accepted');
  });
});

const familyId = '0d3c1f0e-6f0a-4a53-9a1c-4f3f5b7a9d11';
const tokenId = '7b1d5a52-0b8e-4c06-8f5e-2f4f5c1f6a22';

describe('verifyRefresh', () => {
  it('takes a refresh token, which verify does not', async () => {
    const { token } = await signRefreshToken({ secret, userId: 'p1', ttlSeconds: 60, nowMs, roles: ['moderator'], familyId, tokenId });
    expect(await verifierOf().verifyRefresh(token)).toEqual({ userId: 'p1', roles: ['moderator'], expiresAtMs: nowMs + 60_000, issuedAtMs: nowMs, familyId, tokenId });
    expect(await codeOf(token)).toBe('auth/invalid');
  });

  it('takes one that is older than an access token may be, until it expires', async () => {
    const options = { secret, userId: 'p1', ttlSeconds: 30 * 86_400, familyId, tokenId };
    const monthOld = (await signRefreshToken({ ...options, nowMs: nowMs - 29 * 86_400_000 })).token;
    await expect(verifierOf().verifyRefresh(monthOld)).resolves.toMatchObject({ userId: 'p1' });
    const ended = (await signRefreshToken({ ...options, nowMs: nowMs - 31 * 86_400_000 })).token;
    await expect(verifierOf().verifyRefresh(ended)).rejects.toMatchObject({ code: 'auth/expired' });
  });

  it.each([{}, { jti: tokenId }, { fam: familyId }, { jti: tokenId, fam: 'family' }, { jti: 5, fam: familyId }, { jti: `${tokenId} `, fam: familyId }])(
    'refuses %j, since nobody could tell whether it was used',
    async (claims) => {
      await expect(verifierOf().verifyRefresh(foreign({ ...complete, ...claims }, { alg: 'HS256', typ: 'refresh' }))).rejects.toMatchObject({ code: 'auth/invalid' });
    },
  );

  it('does not take an access token, whatever its claims say', async () => {
    await expect(verifierOf().verifyRefresh(await sign())).rejects.toMatchObject({ code: 'auth/invalid' });
    await expect(verifierOf().verifyRefresh(foreign({ ...complete, typ: 'refresh' }))).rejects.toMatchObject({ code: 'auth/invalid' });
  });
});

describe('a Rejection of the verifier', () => {
  it('holds nothing of the token', async () => {
    const token = foreign({ ...complete, iat: 1, exp: 2, sub: 'hush' });
    const error: unknown = await verifierOf().verify(token).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Rejection);
    expect((error as Rejection).cause).toBeUndefined();
    expect((error as Rejection).message).not.toContain('hush');
  });
});
