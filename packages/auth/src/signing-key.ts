import { createSecretKey, type KeyObject } from 'node:crypto';

/** The one algorithm that a shared secret may be used with; a token never chooses. */
export const algorithm = 'HS256';

/** Fewest bytes of a secret: as many as HS256 has output, so that guessing the key is no shorter way. */
export const secretBytesMin = 32;

/** The key of a secret; throws a RangeError when it has fewer than 32 UTF-8 bytes. */
export function signingKey(secret: string): KeyObject {
  const bytes = Buffer.from(secret, 'utf8');
  if (bytes.length < secretBytesMin) throw new RangeError(`the secret has ${bytes.length} bytes, at least ${secretBytesMin} are needed`);
  return createSecretKey(bytes);
}
