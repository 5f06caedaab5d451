import { Rejection, type CharacterId, type RealmId, type UserId } from '@skirmish/protocol';
import { errors, jwtVerify, type JWTPayload, type JWTVerifyResult } from 'jose';
import * as v from 'valibot';
import { claimsSchema, privilegedRoles, refreshClaimsSchema, type Claims, type Role } from './claims.ts';
import { algorithmsOfKeys, type KeyAlgorithm, type KeySet, type VerifyingKey } from './key-set.ts';
import { algorithm, signingKey } from './signing-key.ts';
import { headerOf, wellFormed } from './token-form.ts';
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
  /** When it is not taken any more: at its `exp`, or, of an access token, when it is too old, whichever comes first. */
  readonly expiresAtMs: number;
  /** Exact where the issuer writes milliseconds; what is finer is cut off. */
  readonly issuedAtMs: number;
}

/** Who a refresh token speaks for, and its place among those that came from it. */
export interface RefreshIdentity extends Identity {
  /** The login that this token and all that it was exchanged for come from: a UUID. */
  readonly familyId: string;
  /** Of this token alone, a UUID: whoever keeps it can tell that the token was used. */
  readonly tokenId: string;
}

export interface VerifierOptions {
  /** For HS256: at least 32 UTF-8 bytes, else a RangeError at once. Without one, and without `keys`, a RangeError as well. */
  readonly secret?: string | undefined;
  /** For ES256, EdDSA and RS256; beside a secret while a studio moves from one to the other. */
  readonly keys?: KeySet | undefined;
  /** Checked where given. */
  readonly issuer?: string | undefined;
  /** Audience of players and moderators; checked where given. */
  readonly audience?: string | undefined;
  /** Audience that tokens with the role `service` or `system`, and no others, carry; checked where given. */
  readonly serviceAudience?: string | undefined;
  /** How far the clocks of issuer and gateway may differ; default 5. */
  readonly clockToleranceSeconds?: number;
  /** Oldest access token that is taken, by its `iat`, however late it expires; default 7 days. */
  readonly ageSecondsMax?: number;
  readonly now?: () => number;
}

export interface Verifier {
  /**
   * Who an access token speaks for. Throws a Rejection: `auth/missing` without a token, `auth/malformed` when it is no JWT in its one
   * spelling or longer than 8 kB, `auth/expired` when it was good once, `server/unavailable` when the issuer's keys cannot be had, `auth/invalid` for
   * everything else. Never logs or quotes the token.
   */
  verify(token: unknown): Promise<Identity>;
  /** The same for whoever connects as a player: a token of a backend, with the role `service` or `system`, is `auth/invalid`. */
  verifyPlayer(token: unknown): Promise<Identity>;
  /** The same for a refresh token; neither kind is taken for the other. Whether it was used before is for the caller to know. */
  verifyRefresh(token: unknown): Promise<RefreshIdentity>;
}

const requiredClaims = ['sub', 'iat', 'exp'];

/**
 * Verifies tokens of a shared secret (HS256), of an issuer's key set (ES256, EdDSA, RS256), or of both. The algorithm of a token only says
 * which of our keys it is held against: a key is used with the algorithm of its own type, and nothing else in the header is followed.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { clockToleranceSeconds = 5, ageSecondsMax = 604_800, now = Date.now, keys, ...expected } = options;
  const secret = options.secret === undefined ? null : signingKey(options.secret);
  if (!secret && !keys) throw new RangeError('a verifier needs a secret or a key set');

  async function candidates(token: string): Promise<{ algorithm: string; keys: readonly (VerifyingKey | NonNullable<typeof secret>)[] }> {
    const { alg, kid } = headerOf(token);
    if (alg === algorithm && secret) return { algorithm, keys: [secret] };
    const known = algorithmsOfKeys.find((each) => each === (alg === 'Ed25519' ? 'EdDSA' : alg));
    if (!known || !keys) throw new Rejection('auth/invalid');
    return { algorithm: alg ?? '', keys: await keys.keysFor({ kid, algorithm: known satisfies KeyAlgorithm }) };
  }

  async function read(token: unknown, kind: TokenKind): Promise<{ readonly identity: Identity; readonly payload: JWTPayload }> {
    const text = wellFormed(token);
    const nowMs = now();
    const result = await firstThatFits(await candidates(text), (key, algorithms) =>
      jwtVerify(text, key, {
        algorithms,
        requiredClaims,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(nowMs),
        ...(expected.issuer === undefined ? {} : { issuer: expected.issuer }),
      }),
    );
    const claims = readClaims(claimsSchema, result);
    if (!isOfKind(kind, result.protectedHeader.typ, claims.typ)) throw new Rejection('auth/invalid');
    // Not by jose, which compares whole seconds of the clock with the fraction of the claim.
    const ageSeconds = nowMs / 1_000 - claims.iat;
    if (ageSeconds < -clockToleranceSeconds) throw new Rejection('auth/invalid');
    if (kind === 'access' && ageSeconds > ageSecondsMax + clockToleranceSeconds) throw new Rejection('auth/expired');
    const identity = identityOf(claims, kind === 'access' ? claims.iat + ageSecondsMax : Infinity);
    if (!isForUs(claims, identity.roles, expected)) throw new Rejection('auth/invalid');
    return { identity, payload: result.payload };
  }

  return {
    verify: async (token) => (await read(token, 'access')).identity,
    verifyPlayer: async (token) => {
      const { identity } = await read(token, 'access');
      if (isBackend(identity.roles)) throw new Rejection('auth/invalid');
      return identity;
    },
    verifyRefresh: async (token) => {
      const { identity, payload } = await read(token, 'refresh');
      const { fam: familyId, jti: tokenId } = readClaims(refreshClaimsSchema, { payload });
      return { ...identity, familyId, tokenId };
    },
  };
}

type Verify<Key> = (key: Key, algorithms: string[]) => Promise<JWTVerifyResult>;

/** A token that names no key is held against each of its algorithm; the signature decides, every other verdict is final. */
async function firstThatFits<Key>({ algorithm: only, keys }: { algorithm: string; keys: readonly Key[] }, verify: Verify<Key>): Promise<JWTVerifyResult> {
  for (const key of keys) {
    try {
      return await verify(key, [only]);
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw rejectionOf(error);
    }
  }
  throw new Rejection('auth/invalid');
}

/** The error of jose holds the claims, so it does not travel on as a cause. */
function rejectionOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new Rejection('auth/expired');
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return new Rejection('auth/malformed');
  if (error instanceof errors.JOSEError) return new Rejection('auth/invalid');
  return error;
}

function readClaims<const Schema extends v.GenericSchema>(schema: Schema, { payload }: { readonly payload: JWTPayload }): v.InferOutput<Schema> {
  const result = v.safeParse(schema, payload, { abortEarly: true });
  if (!result.success) throw new Rejection('auth/invalid');
  return result.output;
}

function identityOf({ sub, iat, exp, cid, realm, roles = ['player'] }: Claims, tooOldAtSeconds: number): Identity {
  return {
    userId: sub,
    ...(cid === undefined ? {} : { characterId: cid }),
    ...(realm === undefined ? {} : { realm }),
    roles,
    expiresAtMs: Math.floor(Math.min(exp, tooOldAtSeconds) * 1_000),
    issuedAtMs: Math.floor(iat * 1_000),
  };
}

const isBackend = (roles: readonly Role[]): boolean => roles.some((role) => privilegedRoles.has(role));

/** A privileged token needs the service audience and only a privileged one may have it, so neither kind is worth stealing for the other's door. */
function isForUs(claims: Claims, roles: readonly Role[], { audience, serviceAudience }: Pick<VerifierOptions, 'audience' | 'serviceAudience'>): boolean {
  const audiences = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
  if (isBackend(roles)) return serviceAudience === undefined || audiences.includes(serviceAudience);
  if (serviceAudience !== undefined && audiences.includes(serviceAudience)) return false;
  return audience === undefined || audiences.includes(audience);
}
