import { createHash } from 'node:crypto';
import { cleanText } from './clean-text.ts';

/**
 * Equal for texts that count as the same message: case, white space and what a reader cannot see make no difference; digits do, so that a price
 * or a countdown is no spam. 32 hexadecimal digits, from which the text cannot be read.
 */
export function fingerprintOf(text: string): string {
  const folded = cleanText(text).normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim();
  return createHash('sha256').update(folded).digest('hex').slice(0, 32);
}
