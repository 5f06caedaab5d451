import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

import {
  characterIdSchema,
  commandIdSchema,
  incarnationIdSchema,
  isUserId,
  messageIdSchema,
  realmIdSchema,
  userIdSchema,
  zoneIdSchema,
} from './ids.ts';

describe('[IDS1] a user id', () => {
  it.each(['p1', 'auth0|5f7c8ec7', 'us-east-1:7f0a', 'a b', 'é', '用户', '👩‍👩‍👧', '__proto__', 'constructor', '../..', '{main}:x', 'a'.repeat(128), 'é'.repeat(64)])(
    'may be %j',
    (id) => {
      expect(v.parse(userIdSchema, id)).toBe(id);
      expect(isUserId(id)).toBe(true);
    },
  );

  it.each(['', 'a\nb', '\u0000', 'a\u0007', '\u007f', '\u0085', 'a\u2028', 'a\u2029', '\ud800', 'a\u202eb', '\u200b', '\ufeff', 'a'.repeat(129), 'é'.repeat(65)])(
    'is never %j',
    (id) => {
      expect(isUserId(id)).toBe(false);
    },
  );

  it.each([null, undefined, 5, {}, ['p1'], new String('p1')])('is never the value %j', (value) => {
    expect(isUserId(value)).toBe(false);
  });
});

describe('[IDS2] an id of our own', () => {
  it.each(['c1', 'forest#2', 'a_b-C', 'x'.repeat(64)])('may be %j', (id) => {
    expect(v.is(characterIdSchema, id)).toBe(true);
    expect(v.is(zoneIdSchema, id)).toBe(true);
  });

  it.each(['', 'a b', 'a:b', 'a/b', 'é', 'a\n', '\na', 'x'.repeat(65)])('is never %j', (id) => {
    expect(v.is(characterIdSchema, id)).toBe(false);
    expect(v.is(zoneIdSchema, id)).toBe(false);
  });

  it('has no # where it stands in an address or names a command', () => {
    for (const schema of [realmIdSchema, incarnationIdSchema, commandIdSchema]) {
      expect(v.is(schema, 'main-1_A')).toBe(true);
      expect(v.is(schema, 'main#1')).toBe(false);
    }
  });
});

describe('[IDS3] a message id', () => {
  it('is a UUID of version 7 in lower case', () => {
    expect(v.is(messageIdSchema, '019ab2f4-5c00-7d3e-8a11-0f2b3c4d5e6f')).toBe(true);
  });

  it.each([
    '019AB2F4-5C00-7D3E-8A11-0F2B3C4D5E6F',
    '3b241101-e2bb-4255-8caf-4136c566a962',
    '019ab2f4-5c00-7d3e-ca11-0f2b3c4d5e6f',
    '019ab2f45c007d3e8a110f2b3c4d5e6f',
    '019ab2f4-5c00-7d3e-8a11-0f2b3c4d5e6f\n',
  ])('is never %j', (id) => {
    expect(v.is(messageIdSchema, id)).toBe(false);
  });
});
