import * as fc from 'fast-check';

import { type CombatId, isUserId, type UserId } from '../src/index.ts';

/** User ids of all kinds: names, what issuers make, any Unicode, and the names that JavaScript treats specially. */
export const userId: fc.Arbitrary<UserId> = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 128 }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom('%', '2', '5', '7', 'C', 'c', '~', '.', '|', ':', "'", '(', '!', '*', 'é'), minLength: 1, maxLength: 20 }),
    fc.constantFrom('__proto__', 'constructor', 'toString', 'realm', 'user:p1', '{main}', '%', '%7C', '|', '..', ' '),
  )
  .filter(isUserId);

/** Ids of our own making. */
export const ownId: fc.Arbitrary<CombatId> = fc
  .string({ unit: fc.constantFrom('A', 'B', 'x', 'y', '0', '9', '_', '#', '-'), minLength: 1, maxLength: 64 })
  .map((id) => id as CombatId);

/** What a hostile client may put into JSON: any value, and objects with the keys that JavaScript treats specially. */
export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true, withSparseArray: true }),
  fc.jsonValue(),
  fc
    .dictionary(fc.constantFrom('__proto__', 'constructor', 'prototype', 'toJSON', 'commandId', 'channel', 'text', 'length', 'then'), fc.jsonValue())
    .map((object): unknown => JSON.parse(JSON.stringify(object))),
);
