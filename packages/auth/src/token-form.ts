import { Rejection, tokenLengthMax } from '@skirmish/protocol';
import { decodeProtectedHeader } from 'jose';

const kidLengthMax = 256;
// The last character of a part may have bits that mean nothing. Decoders take any value of them, so a token would have up to 15 more
// spellings; only zeros are taken here.
const part = '(?:[\\w-]{4})*(?:[\\w-]{4}|[\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])';
const compactForm = new RegExp(`^${part}\\.${part}\\.${part}$`);

/** The text of a token in its one spelling; throws `auth/missing` or `auth/malformed` before anything of it is decoded. */
export function wellFormed(token: unknown): string {
  if (token === undefined || token === null || token === '') throw new Rejection('auth/missing');
  if (typeof token !== 'string' || token.length > tokenLengthMax || !compactForm.test(token)) throw new Rejection('auth/malformed');
  return token;
}

/** What a header may choose: which of our keys the token is held against. Nothing of it is true before the signature was checked. */
export function headerOf(token: string): { alg?: string | undefined; kid?: string | undefined } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (kid !== undefined && (typeof kid !== 'string' || kid.length > kidLengthMax)) throw new Rejection('auth/invalid');
    return { alg, kid };
  } catch (error) {
    throw error instanceof Rejection ? error : new Rejection('auth/malformed');
  }
}
