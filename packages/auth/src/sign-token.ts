import { type JWTPayload, SignJWT } from 'jose';
import { privilegedRoles, type Role } from './claims.ts';
import { algorithm, signingKey } from './signing-key.ts';
import { headerTypes, type TokenKind } from './token-kind.ts';

export interface SignOptions {
  /** At least 32 UTF-8 bytes, else a RangeError. */
  readonly secret: string;
  readonly issuer?: string | undefined;
  /** Audience of the token; leave it to `serviceAudience` for the role `service` or `system`. */
  readonly audience?: string | undefined;
  /** Audience that a token with the role `service` or `system` gets instead of `audience`. */
  readonly serviceAudience?: string | undefined;
  readonly userId: string;
  readonly roles?: readonly Role[] | undefined;
  readonly characterId?: string | undefined;
  readonly realm?: string | undefined;
  readonly ttlSeconds: number;
  readonly nowMs?: number | undefined;
}

export interface SignedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Signs an access token (HS256); for development and tests, since in production the studio's issuer does it. */
export async function signToken(options: SignOptions): Promise<SignedToken> {
  return sign(options, 'access');
}

export interface RefreshOptions extends SignOptions {
  /** The login that the token comes from: a UUID. */
  readonly familyId: string;
  /** Of this token alone: a UUID. */
  readonly tokenId: string;
}

/** Signs a refresh token: the same claims, its id and its family; good only for `verifyRefresh`. */
export async function signRefreshToken(options: RefreshOptions): Promise<SignedToken> {
  return sign(options, 'refresh', { jti: options.tokenId, fam: options.familyId });
}

async function sign(options: SignOptions, kind: TokenKind, more: JWTPayload = {}): Promise<SignedToken> {
  const { secret, issuer, userId, roles, characterId, realm, ttlSeconds, nowMs = Date.now() } = options;
  const expiresAtSeconds = Math.floor(nowMs / 1_000) + ttlSeconds;
  const audience = audienceOf(options);
  const token = new SignJWT({
    ...more,
    ...(characterId === undefined ? {} : { cid: characterId }),
    ...(realm === undefined ? {} : { realm }),
    ...(roles === undefined ? {} : { roles: [...roles] }),
  })
    .setProtectedHeader({ alg: algorithm, typ: headerTypes[kind] })
    .setSubject(userId)
    // With its milliseconds, as RFC 7519 allows: a user is logged out everywhere at an instant, and a token of the same second may be from after it.
    .setIssuedAt(nowMs / 1_000)
    .setExpirationTime(expiresAtSeconds);
  if (issuer !== undefined) token.setIssuer(issuer);
  if (audience !== undefined) token.setAudience(audience);
  return { token: await token.sign(signingKey(secret)), expiresAtMs: expiresAtSeconds * 1_000 };
}

function audienceOf({ audience, serviceAudience, roles = [] }: SignOptions): string | undefined {
  return roles.some((role) => privilegedRoles.has(role)) ? (serviceAudience ?? audience) : audience;
}
