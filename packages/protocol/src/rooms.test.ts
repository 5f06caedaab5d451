import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ownId, userId } from '../test/_arbitraries.ts';
import type { CombatId, GuildId, PartyId, RealmId, UserId, ZoneId } from './ids.ts';
import { escapeUserId, isRoomName, namespaceOf, parseRoom, roomOf, unescapeUserId } from './rooms.ts';

describe('[ROM1] roomOf', () => {
  it('names each kind of room', () => {
    expect([
      roomOf.user('p1' as UserId),
      roomOf.zone('forest#2' as ZoneId),
      roomOf.combat('f_1' as CombatId),
      roomOf.combatWatch('f_1' as CombatId),
      roomOf.guild('red' as GuildId),
      roomOf.party('pt-1' as PartyId),
      roomOf.realm,
    ]).toEqual(['user:p1', 'zone:forest#2', 'combat:f_1', 'combat-watch:f_1', 'guild:red', 'party:pt-1', 'realm']);
  });

  it('refuses an id that never passed its schema', () => {
    expect(() => roomOf.zone('a:b' as ZoneId)).toThrow(RangeError);
    expect(() => roomOf.user('' as UserId)).toThrow(RangeError);
    expect(() => roomOf.user('\ud800' as UserId)).toThrow(RangeError);
  });
});

describe('[ROM2] the escape of user ids', () => {
  it('writes all bytes outside A-Za-z0-9_.~- as %XX', () => {
    expect(escapeUserId("auth0|x:%'(é~._-" as UserId)).toBe('auth0%7Cx%3A%25%27%28%C3%A9~._-');
  });

  it('uses only A-Za-z0-9_.~%- and at most 384 characters', () => {
    fc.assert(
      fc.property(userId, (id) => {
        expect(escapeUserId(id)).toMatch(/^[A-Za-z0-9_.~%-]{1,384}$/);
      }),
    );
    expect(escapeUserId('é'.repeat(64) as UserId)).toHaveLength(384);
  });

  it('is undone exactly', () => {
    fc.assert(
      fc.property(userId, (id) => {
        expect(unescapeUserId(escapeUserId(id))).toBe(id);
      }),
    );
  });

  it('never gives two users one name', () => {
    fc.assert(
      fc.property(userId, userId, (one, other) => {
        expect(escapeUserId(one) === escapeUserId(other)).toBe(one === other);
      }),
    );
  });

  it.each(['', '%', '%7', '%7c', '%61', '%zz', '%FF', '%00', 'a b', 'é', 'a:b', '%ED%A0%80', 'a'.repeat(129), 'a'.repeat(385)])(
    'cannot have made %j',
    (escaped) => {
      expect(unescapeUserId(escaped)).toBeNull();
    },
  );
});

describe('parseRoom', () => {
  it('is the inverse of roomOf', () => {
    fc.assert(
      fc.property(userId, ownId, (user, own) => {
        expect(parseRoom(roomOf.user(user))).toEqual({ kind: 'user', id: user });
        expect(parseRoom(roomOf.zone(own as string as ZoneId))).toEqual({ kind: 'zone', id: own });
        expect(parseRoom(roomOf.combat(own))).toEqual({ kind: 'combat', id: own });
        expect(parseRoom(roomOf.combatWatch(own))).toEqual({ kind: 'combat-watch', id: own });
        expect(parseRoom(roomOf.guild(own as string as GuildId))).toEqual({ kind: 'guild', id: own });
        expect(parseRoom(roomOf.party(own as string as PartyId))).toEqual({ kind: 'party', id: own });
      }),
    );
    expect(parseRoom(roomOf.realm)).toEqual({ kind: 'realm', id: '' });
  });

  it('never throws, and takes only what roomOf makes', () => {
    const kind = fc.constantFrom('user', 'zone', 'combat', 'realm', 'constructor', '__proto__', 'hasOwnProperty', '');
    // As the `binary` of fast-check, which takes seconds to make.
    const point = fc.oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff })).map((code) => String.fromCodePoint(code));
    const text = fc.string({ unit: point });
    const name = fc.oneof(text, fc.tuple(kind, text).map(([before, after]) => [before, after].join(':')));
    fc.assert(
      fc.property(name, (text) => {
        const room = parseRoom(text);
        expect(isRoomName(text)).toBe(room !== null);
        if (room?.kind === 'user') expect(roomOf.user(room.id as UserId)).toBe(text);
      }),
    );
  });

  it.each([
    'Xk2vP8s3QzT9bHmLAAAB',
    '',
    ':',
    'user:',
    'user',
    'zone:',
    'zone:a b',
    'zone:a:b',
    'zone:meadow\n',
    'Zone:meadow',
    'realm:',
    'realm:main',
    'constructor:x',
    '__proto__:x',
    'combat-watch',
    'user:%7c',
    'user:a|b',
  ])('knows no room %j', (name) => {
    expect(parseRoom(name)).toBeNull();
  });

  it.each([null, undefined, 5, {}, ['zone:meadow'], Symbol('x')])('knows no room that is no text (%o)', (name) => {
    expect(parseRoom(name as string)).toBeNull();
  });
});

it('[CON2] namespaceOf names the namespace of a realm', () => {
  expect(namespaceOf('main' as RealmId)).toBe('/realm/main');
});
