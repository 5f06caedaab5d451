/** An access token opens connections and the HTTP interface; a refresh token only buys a new access token. */
export type TokenKind = 'access' | 'refresh';

/** Header `typ` of the tokens that Skirmish signs. */
export const headerTypes = { access: 'JWT', refresh: 'refresh' } as const satisfies Record<TokenKind, string>;

const accessTypes = new Set(['jwt', 'at+jwt']);
// Some issuers tell the kinds apart by a claim of this name instead of the header.
const foreignAccessClaims = new Set(['bearer', 'access', 'jwt', 'at+jwt']);

/** Whether a token with this header `typ` and claim `typ` (both optional for access) is of the kind. */
export function isOfKind(kind: TokenKind, headerType: unknown, claimType: string | undefined): boolean {
  const header = typeof headerType === 'string' ? headerType.toLowerCase().replace(/^application\//, '') : headerType;
  if (kind === 'refresh') return header === headerTypes.refresh;
  return (header === undefined || (typeof header === 'string' && accessTypes.has(header))) && (claimType === undefined || foreignAccessClaims.has(claimType.toLowerCase()));
}
