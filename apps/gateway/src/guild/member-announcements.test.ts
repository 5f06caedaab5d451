import { type GuildId, type RoomName, roomOf, type UserId } from '@skirmish/protocol';
import { describe, expect, it } from 'vitest';
import type { RealmNamespace } from '../connection/session.ts';
import { announcementsPerTurnMax, MemberAnnouncements, waitingPerGuildMax } from './member-announcements.ts';

const red = roomOf.guild('red' as GuildId);
const userOf = (n: number): UserId => `u${n}` as UserId;

/** A namespace that notes what is emitted, to whom. */
function listening(rooms: readonly RoomName[], slow: readonly string[] = []) {
  const told: string[] = [];
  let dropped = 0;
  const here = new Map(rooms.map((room) => [room, new Set(['socket'])]));
  const to = (room: string) => ({
    except: (left: readonly string[]) => ({ emit: (event: string, { userId }: { userId: string }) => { told.push(`${event} ${userId} in ${room} without ${left.join()}`); } }),
  });
  const nsp = { adapter: { rooms: here }, local: { to } } as unknown as RealmNamespace;
  return { announcements: new MemberAnnouncements({ nsp, slow: new Set(slow), onDropped: (count) => { dropped += count; } }), told, here, dropped: () => dropped };
}

describe('announcements of members', () => {
  it('[GLD1] go to the members here, not to the member itself, and not to those who cannot follow', () => {
    const { announcements, told } = listening([red], ['slow-socket']);
    announcements.add(red, userOf(1), true);
    announcements.add(roomOf.guild('blue' as GuildId), userOf(2), true);
    announcements.flush();
    expect(told).toEqual(['guild:member-online u1 in guild:red without user:u1,slow-socket']);
  });

  it('[GLD2] are 20 of a guild in a turn; the rest waits in order', () => {
    const { announcements, told } = listening([red]);
    for (let n = 0; n < 2 * announcementsPerTurnMax + 1; n += 1) announcements.add(red, userOf(n), true);
    announcements.flush();
    expect(told).toHaveLength(announcementsPerTurnMax);
    announcements.flush();
    announcements.flush();
    expect(told.map((line) => line.split(' ')[1])).toEqual(Array.from({ length: 2 * announcementsPerTurnMax + 1 }, (_, n) => userOf(n)));
    expect(announcements.waiting).toBe(0);
  });

  it('[GLD2] of one who came and went while it waited are not told', () => {
    const { announcements, told } = listening([red]);
    announcements.add(red, userOf(1), true);
    announcements.add(red, userOf(1), false);
    announcements.add(red, userOf(2), false);
    announcements.add(red, userOf(2), true);
    announcements.add(red, userOf(2), false);
    announcements.flush();
    expect(told).toEqual(['guild:member-offline u2 in guild:red without user:u2']);
  });

  it('beyond 1,000 that wait are dropped and counted, and the others are told', () => {
    const { announcements, dropped } = listening([red]);
    for (let n = 0; n < waitingPerGuildMax + 5; n += 1) announcements.add(red, userOf(n), true);
    expect([announcements.waiting, dropped()]).toEqual([waitingPerGuildMax, 5]);
    announcements.add(red, userOf(0), false);
    expect(announcements.waiting).toBe(waitingPerGuildMax - 1);
  });

  it('end with the last member here', () => {
    const { announcements, told, here } = listening([red]);
    announcements.add(red, userOf(1), true);
    here.clear();
    announcements.flush();
    expect([told, announcements.waiting]).toEqual([[], 0]);
  });
});
