import { createPublicKey } from 'node:crypto';
import { refusals, tokenLengthMax, type RefusalCode } from '@skirmish/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createKeySet, createVerifier, type Verifier } from '../src/index.ts';
import { asymmetric, claims, codeOf, type CountingServer, encode, forge, issuer, jwksOf, makePairs, nowMs, nowSeconds, secret, serveJson, signatureOf } from './_issuer.ts';

const pairs = makePairs();
const attacker = makePairs();
const jwks = jwksOf(pairs);
const options = { secret, issuer, audience: 'skirmish', serviceAudience: 'services', now: () => nowMs };
let keyServer: CountingServer;
let attackersServer: CountingServer;
let verifier: Verifier;
beforeAll(async () => {
  keyServer = await serveJson(() => ({ keys: jwks }));
  attackersServer = await serveJson(() => ({ keys: jwksOf(attacker) }));
  verifier = createVerifier({ ...options, keys: createKeySet({ url: keyServer.url, now: () => nowMs }) });
});
afterAll(async () => {
  await keyServer[Symbol.asyncDispose]();
  await attackersServer[Symbol.asyncDispose]();
});
afterEach(() => {
  expect(attackersServer.requests()).toBe(0);
});

type Outcome = RefusalCode | 'accepted';
type Attack = readonly [what: string, token: unknown, outcome: Outcome];

/** Signed by whoever has the secret of the studio; header and claims are those of a good token but for these. */
const bySecret = (body: object | string = {}, header: object | string = {}): string =>
  forge(typeof header === 'string' ? header : { alg: 'HS256', ...header }, typeof body === 'string' ? body : { ...claims, ...body }, 'HS256', secret);
const byKey = (algorithm: (typeof asymmetric)[number], header: object = {}, body: object = {}): string =>
  forge({ alg: algorithm, kid: algorithm, ...header }, { ...claims, ...body }, algorithm, pairs[algorithm].privateKey);
const byAttacker = (header: object): string => forge({ alg: 'ES256', ...header }, claims, 'ES256', attacker.ES256.privateKey);
const without = (claim: keyof typeof claims): string => bySecret({ [claim]: undefined });
const good = bySecret();
const [goodHeader = '', goodClaims = '', goodSignature = ''] = good.split('.');

function attacks(title: string, table: readonly Attack[], kind: 'verify' | 'verifyRefresh' = 'verify'): void {
  describe(title, () => {
    it.each(table)('%s', async (_what, token, outcome) => {
      expect(await codeOf(token, verifier, kind)).toBe(outcome);
      // Whoever is refused gets the same answer for ever, and no hint to try again.
      if (outcome !== 'accepted') expect(refusals[outcome].retry).toBe('never');
    });
  });
}

attacks('what a good token is, so that the refusals below mean something', [
  ['by the secret', good, 'accepted'],
  ...asymmetric.map((algorithm): Attack => [`by the key of ${algorithm}`, byKey(algorithm), 'accepted']),
  ['EdDSA under its new name', forge({ alg: 'Ed25519', kid: 'EdDSA' }, claims, 'EdDSA', pairs.EdDSA.privateKey), 'accepted'],
]);

attacks('[TOK2] no signature', [
  ...['none', 'None', 'NONE', 'nOnE', ' none', 'none ', 'n\u00f6ne', '', 'null', 'NONE\0'].flatMap((alg): Attack[] => [
    [`alg ${JSON.stringify(alg)}, an empty third part`, `${encode({ alg })}.${goodClaims}.`, 'auth/malformed'],
    [`alg ${JSON.stringify(alg)}, no third part`, `${encode({ alg })}.${goodClaims}`, 'auth/malformed'],
    [`alg ${JSON.stringify(alg)}, any third part`, `${encode({ alg })}.${goodClaims}.AAAA`, 'auth/invalid'],
    [`alg ${JSON.stringify(alg)}, the right signature`, bySecret({}, { alg }), 'auth/invalid'],
  ]),
  ...[null, 0, true, ['HS256'], { name: 'HS256' }].map((alg): Attack => [`alg ${JSON.stringify(alg)}`, bySecret({}, { alg }), 'auth/invalid']),
  ['no alg at all', forge('{"typ":"JWT"}', claims, 'HS256', secret), 'auth/invalid'],
  ['the empty key', forge({ alg: 'HS256' }, claims, 'HS256', ''), 'auth/invalid'],
  ['the key of a file that is empty', forge({ alg: 'HS256', kid: '../../../../dev/null' }, claims, 'HS256', ''), 'auth/invalid'],
]);

const spki = (algorithm: (typeof asymmetric)[number], format: 'pem' | 'der'): string | Buffer => pairs[algorithm].publicKey.export({ type: 'spki', format } as never);
attacks('[TOK2] a public key as a secret', [
  ...asymmetric.flatMap((algorithm): Attack[] =>
    [
      ['PEM', spki(algorithm, 'pem')],
      ['PEM without its line end', String(spki(algorithm, 'pem')).trimEnd()],
      ['DER', spki(algorithm, 'der')],
      ['JWK', JSON.stringify(jwks[asymmetric.indexOf(algorithm)])],
    ].flatMap(([form, key]): Attack[] => [
      [`HS256, ${algorithm}, ${String(form)}`, forge({ alg: 'HS256', kid: algorithm }, claims, 'HS256', key as string), 'auth/invalid'],
      [`${algorithm} in the header, HMAC below, ${String(form)}`, forge({ alg: algorithm, kid: algorithm }, claims, 'HS256', key as string), 'auth/invalid'],
    ]),
  ),
  ['the secret itself under RS256', forge({ alg: 'RS256', kid: 'RS256' }, claims, 'HS256', secret), 'auth/invalid'],
]);

attacks('[TOK2] one algorithm in the place of another', [
  ...asymmetric.flatMap((header) =>
    asymmetric.filter((key) => key !== header).flatMap((key): Attack[] => [
      [`${header} in the header, the key of ${key}, its own kid`, byKey(key, { alg: header }), 'auth/invalid'],
      [`${header} in the header, the key of ${key}, the kid of ${header}`, byKey(key, { alg: header, kid: header }), 'auth/invalid'],
      [`${header} in the header, the key of ${key}, no kid`, forge({ alg: header }, claims, key, pairs[key].privateKey), 'auth/invalid'],
    ]),
  ),
  ...['HS384', 'HS512', 'ES384', 'ES512', 'ES256K', 'PS256', 'RS384', 'RS1', 'EdDSA2', 'Ed448', 'ecdh-es', 'A256KW', 'dir', 'hs256', 'HS256 '].map((alg): Attack => [
    `alg ${alg}`, bySecret({}, { alg }), 'auth/invalid',
  ]),
  ['ES256 with the signature of all zeros', `${encode({ alg: 'ES256', kid: 'ES256' })}.${goodClaims}.${encode(Buffer.alloc(64))}`, 'auth/invalid'],
  ['EdDSA with the signature of all zeros', `${encode({ alg: 'EdDSA', kid: 'EdDSA' })}.${goodClaims}.${encode(Buffer.alloc(64))}`, 'auth/invalid'],
  ['RS256 with the signature of all zeros', `${encode({ alg: 'RS256', kid: 'RS256' })}.${goodClaims}.${encode(Buffer.alloc(256))}`, 'auth/invalid'],
  ['a key of the attacker under a kid of ours', byAttacker({ kid: 'ES256' }), 'auth/invalid'],
]);

const kids: readonly (readonly [string, unknown])[] = [
  ['of nobody', 'unknown'], ['empty', ''], ['a path', '../../../../dev/null'], ['an absolute path', '/etc/passwd'], ['SQL', "x' union select 'AAAA' -- "], ['a command', '$(id)'],
  ['an address', 'http://127.0.0.1/'], ['with a zero byte', 'ES256\0'], ['a prototype', '__proto__'], ['a constructor', 'constructor'], ['a list', ['ES256']], ['an object', { kid: 'ES256' }],
  ['a number', 0], ['true', true], ['null', null], ['of 257 characters', 'k'.repeat(257)], ['of 4,000 characters', 'k'.repeat(4_000)],
];
attacks('[TOK2] tricks with kid', [
  ...kids.map(([what, kid]): Attack => [`${what}, the right key`, byKey('ES256', { kid }), 'auth/invalid']),
  ...kids.map(([what, kid]): Attack => [`${what}, a key of the attacker`, byAttacker({ kid }), 'auth/invalid']),
  ['a list, the right secret', bySecret({}, { kid: ['x'] }), 'auth/invalid'],
]);

describe('[TOK2] keys that a header brings or points to', () => {
  const pointers = (): readonly (readonly [string, object])[] => {
    const { url } = attackersServer;
    const jwk = attacker.ES256.publicKey.export({ format: 'jwk' });
    return [
      ['jku', { jku: url, kid: 'ES256' }], ['jku and no kid', { jku: url }], ['x5u', { x5u: url }], ['jwk', { jwk }], ['jwk under a kid of ours', { jwk, kid: 'ES256' }],
      ['x5c', { x5c: [createPublicKey(attacker.ES256.privateKey).export({ type: 'spki', format: 'der' }).toString('base64')] }], ['x5t', { 'x5t#S256': 'AAAA' }],
      ['kid that is an address', { kid: url }], ['iss-like fields', { iss: url, jwks_uri: url, url }],
    ];
  };

  it('are not followed: the attacker is refused and his server is not asked', async () => {
    for (const [what, header] of pointers()) {
      expect([what, await codeOf(byAttacker(header), verifier)]).toEqual([what, 'auth/invalid']);
      expect([what, await codeOf(bySecret({}, header), verifier)]).toEqual([what, 'accepted']);
    }
    expect(attackersServer.requests()).toBe(0);
  });

  it('the server would have been heard of', async () => {
    await using counted = await serveJson(() => ({}));
    await fetch(counted.url);
    expect(counted.requests()).toBe(1);
  });
});

attacks('[TOK2] extensions of the header', [
  ['crit that nobody knows', bySecret({}, { crit: ['x'], x: 1 }), 'auth/invalid'],
  ['crit of a claim', bySecret({}, { crit: ['exp'], exp: 1 }), 'auth/invalid'],
  ['crit that is empty', bySecret({}, { crit: [] }), 'auth/malformed'],
  ['crit that is a text', bySecret({}, { crit: 'b64' }), 'auth/malformed'],
  ['crit of what is not there', bySecret({}, { crit: ['b64'] }), 'auth/malformed'],
  ['an unencoded payload', bySecret({}, { b64: false, crit: ['b64'] }), 'auth/malformed'],
  ['compression', bySecret({}, { zip: 'DEF', crit: ['zip'] }), 'auth/invalid'],
  ['encryption, five parts', `${encode({ alg: 'dir', enc: 'A256GCM' })}..AAAA.AAAA.AAAA`, 'auth/malformed'],
]);

const seconds = { late: nowSeconds - 6, past: nowSeconds - 60, soon: nowSeconds + 6 };
attacks('[TOK3] times', [
  ['no exp', without('exp'), 'auth/invalid'],
  ...['1900000000', null, true, [1_900_000_000], {}, -1, ''].map((exp): Attack => [`exp ${JSON.stringify(exp)}`, bySecret({ exp }), exp === -1 ? 'auth/expired' : 'auth/invalid']),
  ['exp beyond all numbers', bySecret(JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')), 'auth/invalid'],
  ['exp in milliseconds', bySecret({ exp: (nowSeconds + 60) * 1_000_000 }), 'auth/invalid'],
  ['expired', bySecret({ exp: seconds.late, iat: seconds.past }), 'auth/expired'],
  ['nbf in the future', bySecret({ nbf: seconds.soon }), 'auth/invalid'],
  ['nbf that is a text', bySecret({ nbf: '0' }), 'auth/invalid'],
  ['no iat', without('iat'), 'auth/invalid'],
  ...['1700000000', null, true, -1].map((iat): Attack => [`iat ${JSON.stringify(iat)}`, bySecret({ iat }), 'auth/invalid']),
  ['iat in the future, to outlive a revocation', bySecret({ iat: seconds.soon }), 'auth/invalid'],
  ['iat a fraction of a second beyond the tolerance', bySecret({ iat: nowSeconds + 5.001 }), 'auth/invalid'],
  ['iat of eight days ago, exp next year', bySecret({ iat: nowSeconds - 8 * 86_400, exp: nowSeconds + 31_536_000 }), 'auth/expired'],
  ['iat of 1970', bySecret({ iat: 0 }), 'auth/expired'],
]);

attacks('[CON4] subjects', [
  ['none', without('sub'), 'auth/invalid'],
  ...['', 'x'.repeat(129), 'ü'.repeat(65), 'p1\0', 'p1\n', 'p\u202e1', 'p\u200b1', '\ud800', 1, null, true, ['p1'], { id: 'p1' }].map((sub): Attack => [
    JSON.stringify(sub).slice(0, 30), bySecret({ sub }), 'auth/invalid',
  ]),
  // [IDS1], [IDS4] Ids are bytes: what would be an injection elsewhere is a name here.
  ...["x'; drop table users; --", '__proto__', 'constructor', '../p1', 'user:*', '{main}:gateways'].map((sub): Attack => [sub, bySecret({ sub }), 'accepted']),
  ['one that comes by the prototype', bySecret(`{"__proto__":{"sub":"p1"},"iat":${nowSeconds},"exp":${nowSeconds + 60},"iss":"${issuer}","aud":"skirmish"}`), 'auth/invalid'],
]);

attacks('[TOK4] issuers and audiences', [
  ['no issuer', without('iss'), 'auth/invalid'],
  ...['https://evil.example', `${issuer}/`, issuer.toUpperCase(), [issuer], '', null].map((iss): Attack => [`iss ${JSON.stringify(iss)}`, bySecret({ iss }), 'auth/invalid']),
  ['no audience', without('aud'), 'auth/invalid'],
  ...['other', 'skirmish ', 'SKIRMISH', '', [], ['other'], null, { skirmish: true }].map((aud): Attack => [`aud ${JSON.stringify(aud)}`, bySecret({ aud }), 'auth/invalid']),
  ['one of several audiences', bySecret({ aud: ['other', 'skirmish'] }), 'accepted'],
  ...['service', 'system'].flatMap((role): Attack[] => [
    [`${role} for the audience of players`, bySecret({ roles: [role] }), 'auth/invalid'],
    [`player and ${role} for the audience of players`, bySecret({ roles: ['player', role] }), 'auth/invalid'],
    [`${role} for its own`, bySecret({ roles: [role], aud: 'services' }), 'accepted'],
  ]),
  ['a player for the audience of services', bySecret({ aud: 'services' }), 'auth/invalid'],
  ['a player for both', bySecret({ aud: ['skirmish', 'services'] }), 'auth/invalid'],
  ['a role in another case', bySecret({ roles: ['Service'], aud: 'services' }), 'auth/invalid'],
  ['roles that are a text', bySecret({ roles: 'system' }), 'auth/invalid'],
  ['roles that are an object', bySecret({ roles: { 0: 'system', length: 1 } }), 'auth/invalid'],
]);

const family = { fam: '0d3c1f0e-6f0a-4a53-9a1c-4f3f5b7a9d11', jti: '7b1d5a52-0b8e-4c06-8f5e-2f4f5c1f6a22' };
attacks('another kind of token as an access token', [
  ['a refresh token', bySecret(family, { typ: 'refresh' }), 'auth/invalid'],
  ...['Refresh', 'application/refresh', 'logout+jwt', 'dpop+jwt', 'id_token', ''].map((typ): Attack => [`typ ${typ}`, bySecret({}, { typ }), 'auth/invalid']),
  ...['Refresh', 'ID', 'Offline', ''].map((typ): Attack => [`the claim typ ${typ}`, bySecret({ typ }), 'auth/invalid']),
]);
attacks('another kind of token as a refresh token', [
  ['a refresh token', bySecret(family, { typ: 'refresh' }), 'accepted'],
  ['an access token', good, 'auth/invalid'],
  ['an access token with the claims of a family', bySecret(family, { typ: 'JWT' }), 'auth/invalid'],
  ['an access token whose claim typ says so', bySecret({ ...family, typ: 'refresh' }), 'auth/invalid'],
  ['a refresh token without a family', bySecret({}, { typ: 'refresh' }), 'auth/invalid'],
  ['a refresh token of another issuer', bySecret({ ...family, iss: 'https://evil.example' }, { typ: 'refresh' }), 'auth/invalid'],
  ['a refresh token of a service for players', bySecret({ ...family, roles: ['service'] }, { typ: 'refresh' }), 'auth/invalid'],
], 'verifyRefresh');

attacks('signatures', [
  ['cut by a byte', `${goodHeader}.${goodClaims}.${encode(signatureOf(`${goodHeader}.${goodClaims}`, 'HS256', secret).subarray(0, 31))}`, 'auth/invalid'],
  ['longer by a byte', `${goodHeader}.${goodClaims}.${encode(Buffer.concat([signatureOf(`${goodHeader}.${goodClaims}`, 'HS256', secret), Buffer.alloc(1)]))}`, 'auth/invalid'],
  ['twice', `${goodHeader}.${goodClaims}.${encode(Buffer.concat([Buffer.from(goodSignature, 'base64url'), Buffer.from(goodSignature, 'base64url')]))}`, 'auth/invalid'],
  ['of other claims', `${goodHeader}.${encode({ ...claims, sub: 'p2' })}.${goodSignature}`, 'auth/invalid'],
  ['of another header', `${encode({ alg: 'HS256', typ: 'JWT' })}.${goodClaims}.${goodSignature}`, 'auth/invalid'],
  ['of the claims alone', `${goodHeader}.${goodClaims}.${encode(signatureOf(goodClaims, 'HS256', secret))}`, 'auth/invalid'],
]);

attacks('[TOK1] spellings', [
  ...[' ', '\n', '\t', '\0', '\ufeff', '\u200b', '=', '==', '.', '%', '+', '/', '\u0660', 'Ａ'].flatMap((more): Attack[] => [
    [`${JSON.stringify(more)} behind`, `${good}${more}`, 'auth/malformed'],
    [`${JSON.stringify(more)} before`, `${more}${good}`, 'auth/malformed'],
    [`${JSON.stringify(more)} behind the header`, `${goodHeader}${more}.${goodClaims}.${goodSignature}`, 'auth/malformed'],
  ]),
  ['points of another script', good.replaceAll('.', '．'), 'auth/malformed'],
  ['escaped points', good.replaceAll('.', '%2E'), 'auth/malformed'],
  ['with its scheme', `Bearer ${good}`, 'auth/malformed'],
  ['as JSON', JSON.stringify({ protected: goodHeader, payload: goodClaims, signature: goodSignature }), 'auth/malformed'],
  ['as an object', { protected: goodHeader, payload: goodClaims, signature: goodSignature }, 'auth/malformed'],
  ['in a list', [good], 'auth/malformed'],
  ['as a String', Object(good), 'auth/malformed'],
  ['as bytes', Buffer.from(good), 'auth/malformed'],
  ['as what becomes a text', { toString: () => good }, 'auth/malformed'],
  ['a header that its issuer began with a byte order mark, and signed so', forge('\ufeff{"alg":"HS256"}', claims, 'HS256', secret), 'accepted'],
  ['claims that are no UTF-8', `${goodHeader}.${encode(Buffer.from([0x7b, 0xff, 0x7d]))}.${encode(signatureOf(`${goodHeader}.${encode(Buffer.from([0x7b, 0xff, 0x7d]))}`, 'HS256', secret))}`, 'auth/malformed'],
]);

describe('names that stand twice', () => {
  const twice = (name: string, first: string, last: string): string => JSON.stringify(claims).replace(new RegExp(`"${name}":[^,}]+`), `"${name}":${first},"${name}":${last}`);
  it.each([
    ['alg, the true one last', bySecret({}, '{"alg":"none","alg":"HS256"}'), 'accepted'],
    ['alg, the true one first', bySecret({}, '{"alg":"HS256","alg":"none"}'), 'auth/invalid'],
    ['exp, the late one last', bySecret(twice('exp', String(nowSeconds + 60), '1')), 'auth/expired'],
    ['sub, the bad one last', bySecret(twice('sub', '"p1"', '""')), 'auth/invalid'],
  ])('%s: the last one counts, for every check', async (_what, token, outcome) => {
    expect(await codeOf(token, verifier)).toBe(outcome);
  });

  it('sub: the last one is who it is for, as RFC 7519 allows', async () => {
    expect(await verifier.verify(bySecret(twice('sub', '"p1"', '"p2"')))).toMatchObject({ userId: 'p2' });
  });
});

describe('[TOK1] tokens that are too long', () => {
  const parse = vi.spyOn(JSON, 'parse');
  afterAll(() => { parse.mockRestore(); });
  const ofLength = (length: number): string => {
    const [head, , signature] = bySecret({}, { kid: 'x' }).split('.');
    return `${head}.${'A'.repeat(length - head!.length - signature!.length - 2)}.${signature}`;
  };

  it('are refused before anything of them is parsed, from the first character above the limit', async () => {
    for (const [length, parsed] of [[tokenLengthMax - 1, true], [tokenLengthMax + 1, false], [1_000_000, false], [20_000_000, false]] as const) {
      const token = ofLength(length);
      parse.mockClear();
      expect(await codeOf(token, verifier)).toMatch(parsed ? /^auth\/invalid$/ : /^auth\/malformed$/);
      expect([length, parse.mock.calls.length > 0]).toEqual([length, parsed]);
    }
  });

  it('cost the same, however long they are', async () => {
    const [short, long] = [ofLength(tokenLengthMax + 1), ofLength(20_000_000)];
    const costOf = async (token: string): Promise<number> => {
      const before = process.cpuUsage();
      for (let n = 0; n < 2_000; n += 1) await codeOf(token, verifier);
      return (process.cpuUsage(before).user) / 1_000;
    };
    await costOf(short);
    // The best of several: what else this process does, its own collector too, costs as well.
    const [shorts, longs] = [[await costOf(short)], [await costOf(long)]];
    const isDearer = (): boolean => Math.min(...longs) >= 2 * Math.min(...shorts) + 50;
    while (isDearer() && longs.length < 5) {
      shorts.push(await costOf(short));
      longs.push(await costOf(long));
    }
    expect(isDearer()).toBe(false);
  });
});
