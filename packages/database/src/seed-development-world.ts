import { sql, type Transaction } from 'kysely';
import type { Database } from './database.ts';
import { firstAtPortal, guilds, meadowPlayers, portals, startHealth, zones } from './development-world.ts';
import { ensureDevelopmentUserIn } from './ensure-development-user.ts';
import type { Schema } from './schema.ts';

export interface SeedOptions {
  /** How many of `p1`, `p2`, … there shall be at least; 1 to 1,000,000. */
  readonly players: number;
}

const playersMax = 1_000_000;
const seedTimeoutMs = 120_000;
/** Steps of a sequence that fills a square evenly however many of its points are taken (the plastic number's powers). */
const stepX = 0.7548776662466927;
const stepY = 0.5698402909980532;

/** The world's definitions follow this release; what players did stays. */
const seedPlaces = async (transaction: Transaction<Schema>): Promise<void> => {
  await transaction
    .insertInto('zones')
    .values(zones)
    .onConflict((conflict) =>
      conflict.column('zone_id').doUpdateSet((row) => ({
        name: row.ref('excluded.name'),
        width: row.ref('excluded.width'),
        height: row.ref('excluded.height'),
        capacity: row.ref('excluded.capacity'),
        opens_instances: row.ref('excluded.opens_instances'),
        battleground: row.ref('excluded.battleground'),
      })),
    )
    .execute();
  await transaction
    .insertInto('portals')
    .values(portals)
    .onConflict((conflict) =>
      conflict.columns(['from_zone_id', 'to_zone_id']).doUpdateSet((row) => ({
        from_x: row.ref('excluded.from_x'),
        from_y: row.ref('excluded.from_y'),
        to_x: row.ref('excluded.to_x'),
        to_y: row.ref('excluded.to_y'),
        reach: row.ref('excluded.reach'),
      })),
    )
    .execute();
  await transaction
    .insertInto('guilds')
    .values(guilds)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
};

/** Where `c<n>` starts, as SQL over a column n. */
const startZone = sql`case when n <= ${meadowPlayers} then 'meadow' else 'arena' end`;
const startX = sql`case
  when n between ${firstAtPortal} and ${meadowPlayers} then 985
  when n <= ${meadowPlayers} then 400 + n % 200
  else 2000 * ((n * ${stepX}::float8)::numeric % 1) end`;
const startY = sql`case
  when n between ${firstAtPortal} and ${meadowPlayers} then 500
  when n <= ${meadowPlayers} then 400 + 50 * (n / 200)
  else 2000 * ((n * ${stepY}::float8)::numeric % 1) end`;

const seedPlayers = async (transaction: Transaction<Schema>, players: number): Promise<void> => {
  await sql`
    insert into users (user_id, name)
    select 'p' || n, 'Player ' || n from generate_series(1, ${players}::int) n
    on conflict do nothing`.execute(transaction);
  await sql`
    insert into characters (character_id, user_id, name, zone_id, x, y, health, health_max, start_zone_id, start_x, start_y)
    select 'c' || n, 'p' || n, 'Player ' || n, zone_id, x, y, ${startHealth}, ${startHealth}, zone_id, x, y
    from (select n, ${startZone} as zone_id, (${startX})::float8 as x, (${startY})::float8 as y from generate_series(1, ${players}::int) n) start
    on conflict do nothing`.execute(transaction);
  await sql`
    insert into guild_members (user_id, guild_id)
    select 'p' || n, case when n % 2 = 1 then 'red' else 'blue' end from generate_series(1, ${players}::int) n
    on conflict do nothing`.execute(transaction);
};

/**
 * Puts the development world into a migrated database: zones, portals, guilds, players `p1`…`p<players>` and the moderator
 * `mod1`. May be repeated, also with more players and by several processes: what exists stays as the game left it.
 */
export const seedDevelopmentWorld = async (database: Database, { players }: SeedOptions): Promise<void> => {
  if (!Number.isInteger(players) || players < 1 || players > playersMax) throw new RangeError(`players must be an integer from 1 to ${playersMax}`);
  await using patient = database.withStatementTimeout(seedTimeoutMs);
  await patient.db.transaction().execute(async (transaction) => {
    await seedPlaces(transaction);
    await seedPlayers(transaction, players);
    await ensureDevelopmentUserIn(transaction, 'mod1', ['player', 'moderator']);
  });
};
