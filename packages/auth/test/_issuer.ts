import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Rejection } from '@skirmish/protocol';
import type { Verifier } from '../src/index.ts';

export const secret = 'a secret of a studio, 32 bytes at least';
export const issuer = 'https://studio.example';
export const nowMs = 1_700_000_000_000;
export const nowSeconds = nowMs / 1_000;
/** What a good token of a player says. */
export const claims = { sub: 'p1', iat: nowSeconds, exp: nowSeconds + 60, iss: issuer, aud: 'skirmish' };

export type Algorithm = 'HS256' | 'ES256' | 'EdDSA' | 'RS256';
export const asymmetric = ['ES256', 'EdDSA', 'RS256'] as const;
type Pair = Readonly<Record<'publicKey' | 'privateKey', KeyObject>>;
export type Pairs = Readonly<Record<(typeof asymmetric)[number], Pair>>;

export const makePairs = (): Pairs => ({
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
});

/** The public keys as their issuer serves them, each under the name of its algorithm. */
export const jwksOf = (pairs: Pairs): object[] => asymmetric.map((algorithm) => ({ ...pairs[algorithm].publicKey.export({ format: 'jwk' }), kid: algorithm }));

export const encode = (part: object | string | Buffer): string => Buffer.from(typeof part === 'string' || Buffer.isBuffer(part) ? part : JSON.stringify(part)).toString('base64url');

/** A signature as its algorithm asks for it, whatever the header of the token says. */
export function signatureOf(text: string, algorithm: Algorithm, key: KeyObject | string): Buffer {
  if (algorithm === 'HS256') return createHmac('sha256', key).update(text).digest();
  if (typeof key === 'string') throw new TypeError('a private key is needed');
  const bytes = Buffer.from(text);
  if (algorithm === 'EdDSA') return signBytes(null, bytes, key);
  return signBytes('sha256', bytes, algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key);
}

/** Any header and claims, objects or JSON as text, signed. */
export function forge(header: object | string, body: object | string, algorithm: Algorithm, key: KeyObject | string): string {
  const text = `${encode(header)}.${encode(body)}`;
  return `${text}.${encode(signatureOf(text, algorithm, key))}`;
}

export interface CountingServer extends AsyncDisposable {
  readonly url: string;
  requests(): number;
}

/** A server that answers every request with this JSON and counts. */
export async function serveJson(answer: (request: IncomingMessage) => unknown): Promise<CountingServer> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    response.writeHead(200, { connection: 'close', 'content-type': 'application/json' }).end(JSON.stringify(answer(request)));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    requests: () => asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => { server.close(resolve); });
    },
  };
}

/** `accepted`, or the code with which the token is refused; anything else that is thrown fails the test. */
export async function codeOf(token: unknown, verifier: Verifier, kind: 'verify' | 'verifyRefresh' = 'verify'): Promise<string> {
  try {
    await verifier[kind](token);
    return 'accepted';
  } catch (error) {
    if (error instanceof Rejection) return error.code;
    throw error;
  }
}
