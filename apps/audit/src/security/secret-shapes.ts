/** A text that looks like a secret. */
export interface Suspicion {
  readonly kind: string;
  /** The secret itself, without what stands around it. */
  readonly secret: string;
  /** Where it stands in the text. */
  readonly at: number;
}

const shapes: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['private key', /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\\nr]*[A-Za-z0-9+/=]{16}/g],
  ['AWS key id', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g],
  ['GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})/g],
  ['Slack token', /\bxox[abeprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com\/services\/T[A-Za-z0-9/]{20,}/g],
  ['npm token', /\bnpm_[A-Za-z0-9]{36}\b|:_authToken=[^\s$]{8,}/g],
  ['Google key', /\bAIza[0-9A-Za-z_-]{35}/g],
  ['Stripe key', /\b[rs]k_live_[0-9A-Za-z]{16,}/g],
];

/** A password between a user and a host; `${…}`, `•••` and `<…>` stand for one. */
const passwordInUrl = /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"`<>]*:([^\s/@'"`<>${}•]+)@/gi;
const passwordInQuery = /\b(?:password|passwd|pwd)=([^\s'"`&;,${}<>•)]{3,})/gi;
const jwt = /\b[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*/g;
const secretName = String.raw`[\w-]*(?:secret|token|passw(?:or)?d|credential|api_?key|private_?key|access_?key|signing_?key|_key)[\w-]*`;
const valueIn = (quotes: string): RegExp => new RegExp(String.raw`\b${secretName}['"]?\]?\s*(?::\s*string\s*)?[:=]\s*([${quotes}])([^\s'"\x60$]{12,})\1`, 'gi');
const quotedValue = valueIn(String.raw`'"\x60`);
/** Prose has its code between the third kind. */
const quotedInProse = valueIn(`'"`);
const bareValue = new RegExp(String.raw`^[\s-]*(?:export\s+|ENV\s+|ARG\s+)?${secretName}\s*[:=]\s*([^\s'"#$<{][^\s'"#]{11,})\s*$`, 'gim');
/** Files in which a value stands without quotes. */
const bareFile = /(?:^|\/)(?:\.env[^/]*|\.npmrc|Dockerfile[^/]*)$|\.(?:ya?ml|conf|ini|toml|properties|sh|template|tf)$/;
/** Bits per character: `aaaaaaaaaaaa` and `your-token` have fewer, random text has more. */
const entropyMin = 3;

/** Whatever looks like a secret in the text of a file. Values with white space are taken for sentences. */
export function suspicionsIn(path: string, text: string): Suspicion[] {
  const found = (kind: string, pattern: RegExp, group = 0): Suspicion[] => [...text.matchAll(pattern)].map((match) => ({ kind, secret: match[group] ?? '', at: match.index }));
  const named = [...found(ofName, path.endsWith('.md') ? quotedInProse : quotedValue, 2), ...(bareFile.test(path) ? found(ofName, bareValue, 1) : [])];
  return [
    ...shapes.flatMap(([kind, pattern]) => found(kind, pattern)),
    ...found('JWT', jwt).filter(({ secret }) => isJwt(secret)),
    ...found('password in an address', passwordInUrl, 1),
    ...found('password', passwordInQuery, 1),
    ...named.filter(({ secret }) => bitsPerCharacter(secret) >= entropyMin && !isJwt(secret)),
  ];
}

const ofName = 'value of a secret name';

/** Three parts, of which the first says by which algorithm it was signed. */
function isJwt(text: string): boolean {
  const [header = '', payload, signature] = text.split('.');
  if (payload === undefined || signature === undefined) return false;
  try {
    return typeof (JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { alg?: unknown }).alg === 'string';
  } catch {
    return false;
  }
}

function bitsPerCharacter(text: string): number {
  const counts = [...Map.groupBy(text, (character) => character).values()].map(({ length }) => length / text.length);
  return counts.reduce((bits, share) => bits - share * Math.log2(share), 0);
}
