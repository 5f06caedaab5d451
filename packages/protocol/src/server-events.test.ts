import { describe, expect, it } from 'vitest';

import { deliveryClassOf, isAppEventName, isServerEventName, parseServerPayload, serverEventNames } from './server-events.ts';

describe('parseServerPayload', () => {
  it('[EVT3] drops fields that it does not know', () => {
    expect(parseServerPayload('session:expiring', { expiresAtMs: 1, added: 'later' })).toEqual({ expiresAtMs: 1 });
  });

  it('names the event and the path of a mistake, never the payload', () => {
    expect(() => parseServerPayload('chat:retracted', { messageId: 'secret', channel: {} })).toThrow(new TypeError('chat:retracted: wrong form at messageId'));
    expect(() => parseServerPayload('session:expiring', 5)).toThrow(new TypeError('session:expiring: wrong form'));
  });

  it('refuses what JSON cannot carry', () => {
    expect(() => parseServerPayload('session:expiring', { expiresAtMs: 1n })).toThrow(TypeError);
  });

  it('[IDS4] keeps a user who is called __proto__', () => {
    const users: unknown = JSON.parse('{"__proto__":{"online":true,"status":"busy"},"constructor":{"online":false,"status":"offline"}}');
    expect(Object.keys(parseServerPayload('presence:changed', { users }).users)).toEqual(['__proto__', 'constructor']);
  });

  it.each([null, [], 'p1', { '': { online: true, status: 'online' } }, { p1: { online: true } }])('refuses %j as a dictionary of users', (users) => {
    expect(() => parseServerPayload('presence:changed', { users })).toThrow('presence:changed: wrong form at users');
  });

  it('[PRS1] refuses more than 100 users', () => {
    const users = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`p${n}`, { online: true, status: 'online' }]));
    expect(() => parseServerPayload('presence:changed', { users })).toThrow(TypeError);
  });

  it('[ROM1] takes only rooms that have a name of ours', () => {
    const welcome = {
      ...{ protocol: 1, userId: 'p1', characterId: null, realm: 'main', recovered: false, serverTimeMs: 1, tokenExpiresAtMs: 1 },
      ...{ rooms: ['user:p1', 'realm'], zone: null, party: null, guild: null, combats: [] },
    };
    expect(parseServerPayload('session:welcome', welcome)).toEqual(welcome);
    expect(() => parseServerPayload('session:welcome', { ...welcome, rooms: ['lobby'] })).toThrow('wrong form at rooms.0');
  });
});

describe('names of events', () => {
  it('[APP1] [APP2] those of backends begin with app:', () => {
    for (const name of ['app:x', 'app:shop.sale_2:ended-1', `app:${'x'.repeat(60)}`]) expect(isAppEventName(name)).toBe(true);
    for (const name of ['app:', 'app:a b', 'app:é', 'App:x', 'chat:message', `app:${'x'.repeat(61)}`, 5, null]) expect(isAppEventName(name)).toBe(false);
  });

  it('built-in ones are those of the table', () => {
    for (const name of serverEventNames) expect(isServerEventName(name)).toBe(true);
    for (const name of ['chat:send', 'app:x', 'constructor', '__proto__', 5, undefined]) expect(isServerEventName(name)).toBe(false);
  });

  it('[DLV1] [DLV3] each has a delivery class; those of backends are critical', () => {
    expect(deliveryClassOf('chat:message')).toBe('critical');
    expect(deliveryClassOf('zone:tick')).toBe('state');
    expect(deliveryClassOf('session:welcome')).toBe('direct');
    expect(deliveryClassOf('chat:typing')).toBe('ephemeral');
    expect(deliveryClassOf('app:x')).toBe('critical');
  });
});
