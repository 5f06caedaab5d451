import { roomOf, type UserId, type ZoneId } from '@skirmish/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ephemeral, parseEphemeral } from './ephemeral.ts';

const typing = ephemeral('chat:typing', { channel: { kind: 'zone', id: 'meadow' as ZoneId }, userId: 'p1' as UserId }, [roomOf.user('p1' as UserId)]);

describe('an ephemeral event on a channel', () => {
  it('is read as it was written', () => {
    expect(parseEphemeral(JSON.parse(JSON.stringify(typing)))).toEqual(typing);
  });

  it.each([
    ['another version', { ...typing, v: 2 }],
    ['a critical event', { ...typing, event: 'chat:message' }],
    ['no event at all', { ...typing, event: '__proto__' }],
    ['another payload', { ...typing, payload: { userId: 'p1' } }],
    ['a room that is none', { ...typing, exceptRooms: ['AbCd'] }],
    ['rooms without end', { ...typing, exceptRooms: Array.from({ length: 11 }, () => 'realm') }],
  ])('is refused with %s', (_what, body) => {
    expect(parseEphemeral(body)).toBeNull();
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.anything(), (body) => { parseEphemeral(body); }));
  });
});
