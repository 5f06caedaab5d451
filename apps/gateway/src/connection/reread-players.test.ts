import { setImmediate } from 'node:timers/promises';
import type { Player } from '@skirmish/database';
import { type RealmId, Rejection, roomOf, type GuildId, type UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';
import { RereadPlayers } from './reread-players.ts';
import type { Session } from './session.ts';

const userId = 'u1' as UserId;
const playerOf = (more: Partial<Player>): Player => ({ userId, mute: null, guild: null, character: null, ...more }) as Player;
const muted = playerOf({ mute: { reason: 'shouting', untilMs: null } });
const inGuild = (id: string): Player => playerOf({ guild: { id: id as GuildId, name: id, rank: 'member' } });
const characterIn = (zone: string) => ({ characterId: 'c1', zone: { id: zone }, x: 1, y: 2, facing: 0 }) as unknown as NonNullable<Player['character']>;
const sessionOf = (player: Player, rooms: readonly string[] = []): Session =>
  ({ userId, characterId: player.character?.characterId ?? null, player, socket: { rooms: new Set(rooms), connected: true } }) as unknown as Session;

/** Sessions of one user; what the database says is answered one call after the other, by the test. */
function readerOf(...sessions: Session[]) {
  const seen = { asked: [] as ((player: Player) => void)[], moves: [] as string[], failures: 0 };
  const move = (how: string, fails: (session: Session) => boolean) => (session: Session, room: string): Promise<void> => {
    seen.moves.push(`${how} ${room}`);
    return fails(session) ? Promise.reject(new Rejection('room/too-many')) : Promise.resolve();
  };
  const state = { failing: null as Session | null };
  const reread = new RereadPlayers({
    realm: 'main' as RealmId,
    sessions: { of: () => sessions },
    changes: { of: () => Promise.resolve({ mark: null, tokensValidFromMs: 0 }) },
    players: { get: () => new Promise((resolve) => { seen.asked.push(resolve); }) },
    rooms: { joinRoom: move('join', (session) => session === state.failing), leaveRoom: move('leave', (session) => session === state.failing) },
    onFailed: () => { seen.failures += 1; },
  });
  return { reread, seen, state };
}

describe('players who are read again', () => {
  it('are what the newest reading says: one that began before a notice does not overwrite the one that follows it', async () => {
    const session = sessionOf(playerOf({}));
    const { reread, seen } = readerOf(session);
    reread.changed([userId]);
    await eventually(() => seen.asked.length === 1);
    reread.changed([userId]);
    // Without an order the second reading is under way now, and the first one, which took longer, comes last.
    await setImmediate();
    seen.asked[1]?.(muted);
    await setImmediate();
    seen.asked[0]?.(playerOf({}));
    await eventually(() => seen.asked.length === 2);
    seen.asked[1]?.(muted);
    await eventually(() => reread.waiting === 0);
    expect(session.player.mute).toEqual(muted.mute);
    reread.close();
  });

  it('are renewed in every session, also where the rooms of another one cannot be put right', async () => {
    const [bad, good] = [sessionOf(inGuild('g1'), [roomOf.guild('g1' as GuildId)]), sessionOf(inGuild('g1'), [roomOf.guild('g1' as GuildId)])];
    const { reread, seen, state } = readerOf(bad, good);
    state.failing = bad;
    reread.changed([userId]);
    await eventually(() => seen.asked.length === 1);
    seen.asked[0]?.(muted);
    await eventually(() => seen.failures === 1);
    expect(good.player.mute).toEqual(muted.mute);
    expect(seen.moves).toEqual(['leave guild:g1', 'leave guild:g1']);
    reread.close();
  });

  it('leave the rooms alone that changed while they were read: what was read is older than that, and is read again', async () => {
    const [g1, g2] = [roomOf.guild('g1' as GuildId), roomOf.guild('g2' as GuildId)];
    const session = sessionOf(inGuild('g1'), [g1]);
    const { reread, seen } = readerOf(session);
    reread.changed([userId]);
    await eventually(() => seen.asked.length === 1);
    // The next change of guilds is met here before the answer, and its notice a little later.
    session.socket.rooms.delete(g1);
    session.socket.rooms.add(g2);
    seen.asked[0]?.(inGuild('g1'));
    await eventually(() => seen.asked.length === 2);
    expect(seen.moves).toEqual([]);
    seen.asked[1]?.(inGuild('g2'));
    await eventually(() => reread.waiting === 0);
    expect(seen.moves).toEqual([`join ${g2}`]);
    expect(session.player.guild?.id).toBe('g2');
    reread.close();
  });

  it('keep the character that the connection began with, and none where it began without', async () => {
    const [without, withOne] = [sessionOf(playerOf({})), sessionOf(playerOf({ character: characterIn('meadow') }))];
    const { reread, seen } = readerOf(without, withOne);
    reread.changed([userId]);
    await eventually(() => seen.asked.length > 0);
    // It has got its first character since; the other one is gone.
    seen.asked[0]?.(playerOf({ character: characterIn('forest') }));
    await eventually(() => seen.asked.length === 2);
    seen.asked[1]?.(playerOf({ character: null }));
    await eventually(() => reread.waiting === 0);
    expect(without.player.character).toBeNull();
    expect(withOne.player.character?.zone.id).toBe('meadow');
    reread.close();
  });
});
