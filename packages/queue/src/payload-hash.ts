import { createHash } from 'node:crypto';

/**
 * Hash of a payload that does not depend on the order of its fields, for telling a repeated command from another one under
 * the same id. Takes what JSON can hold; throws a TypeError on a BigInt or a cycle.
 */
export function payloadHash(payload: object): string {
  return createHash('sha256').update(canonicalJson(payload)).digest('base64url');
}

function canonicalJson(payload: object): string {
  try {
    return JSON.stringify(payload, sortFields);
  } catch (cause) {
    // A cycle overflows the stack, because every level is a sorted copy.
    throw new TypeError('the payload is not JSON', { cause });
  }
}

function sortFields(_field: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
