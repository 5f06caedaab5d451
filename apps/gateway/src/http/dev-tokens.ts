import { randomUUID } from 'node:crypto';
import { roles, signRefreshToken, signToken, type Role, type SignedToken, type Verifier } from '@skirmish/auth';
import { createRefreshFamilies, type Database, ensureDevelopmentUser } from '@skirmish/database';
import { Rejection, tokenLengthMax, type UserId, userIdSchema } from '@skirmish/protocol';
import { json, Router } from 'express';
import * as v from 'valibot';
import type { GatewayConfig } from '../config.ts';
import { answer } from './envelope.ts';
import { parseInput } from './parse-input.ts';

const ttlSecondsDefault = 3_600;
const ttlSecondsMax = 7 * 86_400;
const refreshTtlSeconds = 30 * 86_400;

const tokenBody = v.strictObject({
  userId: userIdSchema,
  roles: v.optional(v.pipe(v.array(v.picklist(roles)), v.maxLength(roles.length))),
  ttlSeconds: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(ttlSecondsMax))),
});
const refreshBody = v.strictObject({ refreshToken: v.pipe(v.string(), v.maxLength(tokenLengthMax)) });

export interface DevTokenParts {
  readonly config: GatewayConfig;
  readonly database: Database;
  readonly verifier: Verifier;
}

/**
 * Tokens for anybody who asks, and a character for a user who has none. Development only: mount it nowhere else.
 *
 * A refresh token is good once. One that is shown again was stolen or kept by a thief, and nobody knows which: then none of its family is
 * taken any more. Tokens are signed before the exchange is written, so whoever gets no answer is left with at most one token that was used.
 */
export function createDevTokens({ config, database, verifier }: DevTokenParts): Router {
  const router = Router();
  const families = createRefreshFamilies(database);
  router.use(json({ limit: '16kb' }));
  router.post('/token', async (request, response) => {
    const { userId, roles, ttlSeconds = ttlSecondsDefault } = parseInput(tokenBody, request.body);
    await ensureDevelopmentUser(database, userId);
    const { tokenId, familyId, access, refresh } = await issue(config, { userId, roles, ttlSeconds, familyId: randomUUID() });
    await families.begin({ userId, familyId, tokenId, expiresAtMs: refresh.expiresAtMs });
    answer(response, dataOf(access, refresh));
  });
  router.post('/refresh', async (request, response) => {
    const { refreshToken } = parseInput(refreshBody, request.body);
    const shown = await verifier.verifyRefresh(refreshToken);
    const { tokenId, access, refresh } = await issue(config, { ...shown, ttlSeconds: ttlSecondsDefault });
    if (!(await families.rotate(shown, { tokenId, expiresAtMs: refresh.expiresAtMs }))) throw new Rejection('auth/revoked');
    answer(response, dataOf(access, refresh));
  });
  return router;
}

interface Issue {
  readonly userId: UserId;
  readonly roles: readonly Role[] | undefined;
  readonly ttlSeconds: number;
  readonly familyId: string;
}

interface Issued {
  readonly familyId: string;
  readonly tokenId: string;
  readonly access: SignedToken;
  readonly refresh: SignedToken;
}

async function issue(config: GatewayConfig, { userId, roles, ttlSeconds, familyId }: Issue): Promise<Issued> {
  const { jwtSecret: secret, jwtIssuer: issuer, jwtAudience: audience, jwtServiceAudience: serviceAudience } = config;
  if (secret === undefined) throw new Rejection('http/not-found');
  const tokenId = randomUUID();
  const options = { secret, issuer, audience, serviceAudience, userId, roles };
  const access = await signToken({ ...options, ttlSeconds });
  const refresh = await signRefreshToken({ ...options, ttlSeconds: refreshTtlSeconds, familyId, tokenId });
  return { familyId, tokenId, access, refresh };
}

const dataOf = ({ token, expiresAtMs }: SignedToken, refresh: SignedToken): object => ({ token, refreshToken: refresh.token, expiresAtMs });
