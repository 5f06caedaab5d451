import { createHash } from 'node:crypto';

const bytesUsed = 6;
const range = 2 ** (8 * bytesUsed);

/**
 * A number in [0, 1) that depends on nothing but the seed, the turn and the how-manieth draw of that turn it is: the first six bytes of
 * `SHA-256("<seed>:<turn>:<draw>")`, big-endian, divided by 2^48. There is no hidden state, so anybody can repeat any draw in any language.
 */
export function chance(seed: string, turn: number, draw: number): number {
  return createHash('sha256').update(`${seed}:${turn}:${draw}`).digest().readUIntBE(0, bytesUsed) / range;
}

/** What is published at the start of a fight: the hash binds us to the seed without telling it. */
export function seedHashOf(seed: string): string {
  return createHash('sha256').update(seed).digest('hex');
}
