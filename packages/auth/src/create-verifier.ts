import { Rejection, type CharacterId, type RealmId, type UserId } from '@skirmish/protocol';
import { errors, jwtVerify, type JWTVerifyResult } from 'jose';
import * as v from 'valibot';
import { claimsSchema, privilegedRoles, type Claims, type Role } from './claims.ts';
import { algorithm, signingKey } from './signing-key.ts';
import { isOfKind, type TokenKind } from './token-kind.ts';

/** Who a verified token speaks for. */
export interface Identity {
  readonly userId: UserId;
  /** The character that the token is for; absent means the user's first one. */
  readonly characterId?: CharacterId;
  /** The realm that the token is for; absent means any. */
  readonly realm?: RealmId;
  /** Known roles only; `player` when the token names none. */
  readonly roles: readonly Role[];
  readonly expiresAtMs: number;
  readonly issuedAtMs: number;
}

export interface VerifierOptions {
  /** At least 32 UTF-8 bytes, else a RangeError at once. */
  readonly secret: string;
  /** Checked where given. */
  readonly issuer?: string | undefined;
  /** Audience of players and moderators; checked where given. */
  readonly audience?: string | undefined;
  /** Audience that tokens with the role `service` or `system`, and no others, carry; checked where given. */
  readonly serviceAudience?: string | undefined;
  /** How far the clocks of issuer and gateway may differ; default 5. */
  readonly clockToleranceSeconds?: number;
  readonly now?: () => number;
}

export interface Verifier {
  /**
   * Who an access token speaks for. Throws a Rejection: `auth/missing` without a token, `auth/malformed` when it is no JWT or
   * longer than 8 kB, `auth/expired` when it was good once, `auth/invalid` for everything else. Never logs or quotes the token.
   */
  verify(token: unknown): Promise<Identity>;
  /** The same for a refresh token; neither kind is taken for the other. */
  verifyRefresh(token: unknown): Promise<Identity>;
}

/** Longest token that is looked at, in characters; a JWT has one byte per character. */
export const tokenLengthMax = 8_192;

const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const requiredClaims = ['sub', 'iat', 'exp'];

/** Verifies HS256 tokens against one secret; the algorithm is fixed here and never taken from a token. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { clockToleranceSeconds = 5, now = Date.now, ...expected } = options;
  const key = signingKey(options.secret);

  async function identify(token: unknown, kind: TokenKind): Promise<Identity> {
    const text = wellFormed(token);
    const nowMs = now();
    const result = await check(() =>
      jwtVerify(text, key, {
        algorithms: [algorithm],
        requiredClaims,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(nowMs),
        ...(expected.issuer === undefined ? {} : { issuer: expected.issuer }),
      }),
    );
    const claims = readClaims(result);
    if (!isOfKind(kind, result.protectedHeader.typ, claims.typ)) throw new Rejection('auth/invalid');
    if (claims.iat * 1_000 > nowMs + clockToleranceSeconds * 1_000) throw new Rejection('auth/invalid');
    const identity = identityOf(claims);
    if (!isForUs(claims, identity.roles, expected)) throw new Rejection('auth/invalid');
    return identity;
  }

  return { verify: (token) => identify(token, 'access'), verifyRefresh: (token) => identify(token, 'refresh') };
}

function wellFormed(token: unknown): string {
  if (token === undefined || token === null || token === '') throw new Rejection('auth/missing');
  if (typeof token !== 'string' || token.length > tokenLengthMax || !compactForm.test(token)) throw new Rejection('auth/malformed');
  return token;
}

async function check(verify: () => Promise<JWTVerifyResult>): Promise<JWTVerifyResult> {
  try {
    return await verify();
  } catch (error) {
    // The error of jose holds the claims, so it does not travel on as a cause.
    if (error instanceof errors.JWTExpired) throw new Rejection('auth/expired');
    if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) throw new Rejection('auth/malformed');
    if (error instanceof errors.JOSEError) throw new Rejection('auth/invalid');
    throw error;
  }
}

function readClaims({ payload }: JWTVerifyResult): Claims {
  const result = v.safeParse(claimsSchema, payload, { abortEarly: true });
  if (!result.success) throw new Rejection('auth/invalid');
  return result.output;
}

function identityOf({ sub, iat, exp, cid, realm, roles = ['player'] }: Claims): Identity {
  return {
    userId: sub,
    ...(cid === undefined ? {} : { characterId: cid }),
    ...(realm === undefined ? {} : { realm }),
    roles,
    expiresAtMs: Math.floor(exp * 1_000),
    issuedAtMs: Math.floor(iat * 1_000),
  };
}

/** A privileged token needs the service audience and only a privileged one may have it, so neither kind is worth stealing for the other's door. */
function isForUs(claims: Claims, roles: readonly Role[], { audience, serviceAudience }: Pick<VerifierOptions, 'audience' | 'serviceAudience'>): boolean {
  const audiences = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
  const service = roles.some((role) => privilegedRoles.has(role));
  if (service) return serviceAudience === undefined || audiences.includes(serviceAudience);
  if (serviceAudience !== undefined && audiences.includes(serviceAudience)) return false;
  return audience === undefined || audiences.includes(audience);
}
