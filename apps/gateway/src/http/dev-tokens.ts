import { roles, signRefreshToken, signToken, type Role, type Verifier } from '@skirmish/auth';
import { type Database, ensureDevelopmentUser } from '@skirmish/database';
import { Rejection, type UserId, userIdSchema } from '@skirmish/protocol';
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
const refreshBody = v.strictObject({ refreshToken: v.pipe(v.string(), v.maxLength(8_192)) });

export interface DevTokenParts {
  readonly config: GatewayConfig;
  readonly database: Database;
  readonly verifier: Verifier;
}

/** Tokens for anybody who asks, and a character for a user who has none. Development only: mount it nowhere else. */
export function createDevTokens({ config, database, verifier }: DevTokenParts): Router {
  const router = Router();
  router.use(json({ limit: '16kb' }));
  router.post('/token', async (request, response) => {
    const { userId, roles, ttlSeconds = ttlSecondsDefault } = parseInput(tokenBody, request.body);
    await ensureDevelopmentUser(database, userId);
    answer(response, await issue(config, { userId, roles, ttlSeconds }));
  });
  router.post('/refresh', async (request, response) => {
    const { refreshToken } = parseInput(refreshBody, request.body);
    const { userId, roles } = await verifier.verifyRefresh(refreshToken);
    answer(response, await issue(config, { userId, roles, ttlSeconds: ttlSecondsDefault }));
  });
  return router;
}

async function issue(config: GatewayConfig, claims: { userId: UserId; roles: readonly Role[] | undefined; ttlSeconds: number }): Promise<object> {
  const { jwtSecret: secret, jwtIssuer: issuer, jwtAudience: audience, jwtServiceAudience: serviceAudience } = config;
  if (secret === undefined) throw new Rejection('http/not-found');
  const options = { secret, issuer, audience, serviceAudience, ...claims };
  const { token, expiresAtMs } = await signToken(options);
  const refresh = await signRefreshToken({ ...options, ttlSeconds: refreshTtlSeconds });
  return { token, refreshToken: refresh.token, expiresAtMs };
}
