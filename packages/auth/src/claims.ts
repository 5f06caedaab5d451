import { characterIdSchema, realmIdSchema, userIdSchema } from '@skirmish/protocol';
import * as v from 'valibot';

/** What a token lets its holder do; `service` and `system` are for backends and need the service audience. */
export const roles = ['player', 'moderator', 'service', 'system'] as const;
export type Role = (typeof roles)[number];

/** Roles of backends, not of people. */
export const privilegedRoles: ReadonlySet<Role> = new Set(['service', 'system']);

const rolesMax = 16;
// Later than this no Date exists, and a timer for it would fire at once.
const secondsMax = 8_640_000_000_000;

const numericDate = v.pipe(v.number(), v.minValue(0), v.maxValue(secondsMax));
const audience = v.pipe(v.string(), v.maxLength(256));

/** The claims that Skirmish reads; others are dropped, since issuers add what they like. */
export const claimsSchema = v.object({
  sub: userIdSchema,
  iat: numericDate,
  exp: numericDate,
  cid: v.exactOptional(characterIdSchema),
  realm: v.exactOptional(realmIdSchema),
  // A role that Skirmish does not know gives nothing; it does not make the token of a studio useless.
  roles: v.exactOptional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(rolesMax), v.transform(knownRoles))),
  aud: v.exactOptional(v.union([audience, v.pipe(v.array(audience), v.maxLength(rolesMax))])),
  typ: v.exactOptional(v.pipe(v.string(), v.maxLength(64))),
});
export type Claims = v.InferOutput<typeof claimsSchema>;

const uuid = v.pipe(v.string(), v.maxLength(36), v.uuid());

/** What a refresh token has besides: its own id, and that of the family which all tokens of one login form. */
export const refreshClaimsSchema = v.object({ jti: uuid, fam: uuid });

function knownRoles(names: string[]): Role[] {
  return roles.filter((role) => names.includes(role));
}
