import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { signRefreshToken, signToken } from './sign-token.ts';

const secret = 'a secret of a studio, 32 bytes at least';
const nowMs = 1_700_000_000_500;

describe('signToken', () => {
  it('writes the claims of the wire contract and no others, iat with its milliseconds, exp in whole seconds', async () => {
    const { token, expiresAtMs } = await signToken({ secret, userId: 'auth0|x', ttlSeconds: 60, nowMs });
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(decodeJwt(token)).toEqual({ sub: 'auth0|x', iat: 1_700_000_000.5, exp: 1_700_000_060 });
    expect(expiresAtMs).toBe(1_700_000_060_000);
  });

  it('adds issuer, audience, roles, character and realm where given', async () => {
    const options = { secret, userId: 'p1', ttlSeconds: 60, nowMs, issuer: 'studio', audience: 'skirmish', roles: ['player', 'moderator'], characterId: 'c1', realm: 'main' } as const;
    expect(decodeJwt((await signToken(options)).token)).toMatchObject({ iss: 'studio', aud: 'skirmish', roles: ['player', 'moderator'], cid: 'c1', realm: 'main' });
  });

  it.each(['service', 'system'] as const)('gives the role %s the service audience', async (role) => {
    const options = { secret, userId: 'backend', ttlSeconds: 60, audience: 'skirmish', roles: [role] };
    expect(decodeJwt((await signToken({ ...options, serviceAudience: 'services' })).token).aud).toBe('services');
    expect(decodeJwt((await signToken(options)).token).aud).toBe('skirmish');
    expect(decodeJwt((await signToken({ ...options, roles: ['player'], serviceAudience: 'services' })).token).aud).toBe('skirmish');
  });

  it('counts from now when nothing else is said', async () => {
    const before = Date.now();
    const { expiresAtMs } = await signToken({ secret, userId: 'p1', ttlSeconds: 60 });
    expect(expiresAtMs).toBeGreaterThan(before + 58_000);
    expect(expiresAtMs).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  it('rejects a secret that is too short', async () => {
    await expect(signToken({ secret: 'short', userId: 'p1', ttlSeconds: 60 })).rejects.toThrow(RangeError);
  });
});

describe('signRefreshToken', () => {
  it('writes the same claims, its id and its family under another header', async () => {
    const { token } = await signRefreshToken({ secret, userId: 'p1', ttlSeconds: 60, nowMs, familyId: 'family', tokenId: 'token' });
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'refresh' });
    expect(decodeJwt(token)).toEqual({ sub: 'p1', iat: 1_700_000_000.5, exp: 1_700_000_060, jti: 'token', fam: 'family' });
  });
});
