import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPresence, parseAnnouncement, parseWhereabout } from './announcement.ts';

const message = { v: 1, kind: 'presence', users: [['auth0%7Cx', 'away', 'guild:red zone:meadow', 'guild:red', ''], ['__proto__', 'offline', '', '', 'guild:red guild:old']] };

describe('an announcement of presence', () => {
  it('is read as the script writes it', () => {
    expect(parseAnnouncement(message)).toEqual([
      { userId: 'auth0|x', presence: { rooms: ['guild:red', 'zone:meadow'], status: 'away' }, came: ['guild:red'], left: [] },
      { userId: '__proto__', presence: null, came: [], left: ['guild:red', 'guild:old'] },
    ]);
  });

  it.each([
    ['another version', { ...message, v: 2 }],
    ['a user id that nobody can have', { ...message, users: [['a b', 'online', '', '', '']] }],
    ['users without end', { ...message, users: Array.from({ length: 101 }, () => message.users[0]) }],
    ['no users', { v: 1, kind: 'presence' }],
  ])('is refused with %s', (_what, body) => {
    expect(parseAnnouncement(body)).toBeNull();
  });

  it('with a status of a later version tells of that user as gone, and of the others', () => {
    const announced = parseAnnouncement({ ...message, users: [['x', 'asleep', 'guild:red', '', ''], ...message.users] });
    expect(announced?.map(({ userId, presence }) => [userId, presence?.status])).toEqual([['x', undefined], ['auth0|x', 'away'], ['__proto__', undefined]]);
  });

  it('with names that are no rooms keeps the others', () => {
    expect(parseWhereabout(['guild:red nonsense zone:', 'online'])).toEqual({ rooms: ['guild:red'], status: 'online' });
    expect(parseWhereabout(['guild:red', 'asleep'])).toBeNull();
    expect(parseWhereabout(null)).toBeNull();
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.anything(), (body) => { parseAnnouncement(isPresence(body) ? body : { ...message, users: body }); }));
  });
});
