import type { UserId } from '@skirmish/protocol';
import { sql } from 'kysely';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureDevelopmentUser, loadPlayer, loadWorld, seedDevelopmentWorld, type Player } from '../src/index.ts';
import { ensureDevelopmentUserIn } from '../src/ensure-development-user.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
const seedMs: number[] = [];
beforeAll(async () => {
  world = await createTestWorld();
  seedMs.push(await msOfSeeding(world));
});
afterAll(() => world[Symbol.asyncDispose]());

async function msOfSeeding({ database }: TestWorld): Promise<number> {
  const startedAtMs = performance.now();
  await seedDevelopmentWorld(database, { players: 500 });
  return performance.now() - startedAtMs;
}

const characters = () => world.database.db.selectFrom('characters');
const load = (userId: string): Promise<Player | null> => loadPlayer(world.database, { userId: userId as UserId });
const idsOf = async (userId: string): Promise<string[]> =>
  (await characters().select('character_id').where('user_id', '=', userId).execute()).map((row) => row.character_id);
const count = async (table: 'users' | 'characters' | 'guild_members'): Promise<number> => {
  const { n } = await world.database.db.selectFrom(table).select((e) => e.fn.countAll<number>().as('n')).executeTakeFirstOrThrow();
  return n;
};

describe('the development world', () => {
  it('has its zones and portals, both ways', async () => {
    const { zones, portals } = await loadWorld(world.database);
    const sizes = zones.map((z) => [z.id, z.width, z.height, z.capacity, z.opensInstances, z.battleground]);
    expect(sizes).toEqual([
      ['arena', 2000, 2000, 2000, false, true],
      ['forest', 1000, 1000, 500, true, false],
      ['keep', 200, 200, 10, false, false],
      ['meadow', 1000, 1000, 500, false, true],
    ]);
    expect(portals.map(({ from, to, reach }) => [from.zoneId, from.x, from.y, to.zoneId, to.x, to.y, reach])).toEqual([
      ['arena', 1000, 10, 'meadow', 500, 10, 20],
      ['forest', 500, 990, 'keep', 100, 10, 20],
      ['forest', 10, 500, 'meadow', 990, 500, 20],
      ['keep', 100, 10, 'forest', 500, 990, 20],
      ['meadow', 500, 10, 'arena', 1000, 10, 20],
      ['meadow', 990, 500, 'forest', 10, 500, 20],
    ]);
  });

  it('has each player with its character, place, health and guild', async () => {
    const rows = await characters().select(['character_id', 'user_id', 'name', 'zone_id', 'x', 'y', 'health', 'start_zone_id', 'start_x', 'start_y']).execute();
    const byId = new Map(rows.map((row) => [row.character_id, row]));
    for (let n = 1; n <= 500; n += 1) {
      const [x, y] = n >= 481 ? [985, 500] : [400 + (n % 200), 400 + 50 * Math.floor(n / 200)];
      const place = { zone_id: 'meadow', x, y, start_zone_id: 'meadow', start_x: x, start_y: y };
      expect(byId.get(`c${n}`)).toEqual({ character_id: `c${n}`, user_id: `p${n}`, name: `Player ${n}`, health: 100, ...place });
    }
    expect(rows).toHaveLength(501);
    expect([await load('p1'), await load('p2')].map((player) => player?.guild?.id)).toEqual(['red', 'blue']);
    expect(await count('guild_members')).toBe(500);
  });

  it('has a moderator with a character', async () => {
    const moderator = await load('mod1');
    expect(moderator?.roles).toEqual(['player', 'moderator']);
    expect(moderator?.character).toMatchObject({ characterId: 'c-mod1', zone: { id: 'meadow' } });
  });

  it('is made in less than a second', async () => {
    // On a busy machine the best of several worlds counts.
    while (Math.min(...seedMs) >= 1000 && seedMs.length < 5) {
      await using another = await createTestWorld();
      seedMs.push(await msOfSeeding(another));
    }
    expect(Math.min(...seedMs)).toBeLessThan(1000);
  }, 60_000);
});

describe('seeding again', () => {
  it('changes nothing, also from several processes at once, and leaves what players did', async () => {
    await world.database.db.updateTable('characters').set({ zone_id: 'forest', x: 11, health: 7 }).where('character_id', '=', 'c9').execute();
    await Promise.all([1, 2, 3].map(() => seedDevelopmentWorld(world.database, { players: 500 })));
    expect(await count('users')).toBe(501);
    expect((await load('p9'))?.character).toMatchObject({ zone: { id: 'forest' }, x: 11, health: 7 });
  });

  it('brings the places back to what the release says', async () => {
    await world.database.db.updateTable('zones').set({ capacity: 1 }).where('zone_id', '=', 'keep').execute();
    await world.database.db.updateTable('portals').set({ reach: 1 }).execute();
    await seedDevelopmentWorld(world.database, { players: 1 });
    const { zones, portals } = await loadWorld(world.database);
    expect(zones.find((zone) => zone.id === 'keep')?.capacity).toBe(10);
    expect(portals.every((portal) => portal.reach === 20)).toBe(true);
    expect(await count('users')).toBe(501);
  });

  it('with 20,000 players adds the others in the arena, spread evenly', async () => {
    await seedDevelopmentWorld(world.database, { players: 20_000 });
    expect(await count('characters')).toBe(20_001);
    const others = await characters().select(['x', 'y']).where('zone_id', '=', 'arena').execute();
    expect(others).toHaveLength(19_500);
    const squares = new Map<string, number>();
    for (const { x, y } of others) {
      const square = `${Math.floor(x / 200)},${Math.floor(y / 200)}`;
      squares.set(square, (squares.get(square) ?? 0) + 1);
    }
    expect(squares.size).toBe(100);
    expect(Math.min(...squares.values())).toBeGreaterThan(180);
    expect(Math.max(...squares.values())).toBeLessThan(210);
  });

  it.each([0, -1, 1.5, Number.NaN, 1_000_001])('with %s players is refused', async (players) => {
    await expect(seedDevelopmentWorld(world.database, { players })).rejects.toThrow(RangeError);
  });
});

describe('any user id', () => {
  it.each(['alice', 'auth0|x', 'us-east-1:abc', 'ü 😀', `x'; --`, 'y'.repeat(128)])('such as %s gets a character in the meadow', async (userId) => {
    await ensureDevelopmentUser(world.database, userId as UserId);
    const player = await load(userId);
    expect(player).toMatchObject({ userId, roles: ['player'], ban: null, mute: null, guild: null, combats: [] });
    expect(player?.character?.characterId).toMatch(/^c-[A-Za-z0-9_#-]{1,62}$/);
    expect(player?.character?.zone.id).toBe('meadow');
    await ensureDevelopmentUser(world.database, userId as UserId);
    expect(await load(userId)).toEqual(player);
  });

  it('gets one character when it asks at two gateways at once', async () => {
    const userId = 'racer' as UserId;
    const other = world.open({ applicationName: 'other' });
    let second: Promise<void> | undefined;
    await world.database.db.transaction().execute(async (transaction) => {
      await ensureDevelopmentUserIn(transaction, userId, ['player']);
      second = ensureDevelopmentUser(other, userId);
      await eventually(async () => {
        const { rows } = await sql`select from pg_stat_activity where application_name = 'other' and wait_event_type = 'Lock'`.execute(world.database.db);
        return rows.length === 1;
      });
    });
    await second;
    expect(await idsOf(userId)).toEqual(['c-racer']);
  });

  it('that is a seeded player keeps its character', async () => {
    await ensureDevelopmentUser(world.database, 'p1' as UserId);
    expect(await idsOf('p1')).toEqual(['c1']);
  });

  it('that looks like the hash of another gets a character of its own', async () => {
    await ensureDevelopmentUser(world.database, 'auth0|y' as UserId);
    const [hashed] = await idsOf('auth0|y');
    for (const userId of [hashed?.slice(2) ?? '', hashed?.replace(/^c-#?/, '') ?? '']) {
      await ensureDevelopmentUser(world.database, userId as UserId);
      expect(await idsOf(userId)).toHaveLength(1);
      expect(await idsOf(userId)).not.toEqual([hashed]);
    }
  });
});
