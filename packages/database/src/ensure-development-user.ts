import { createHash } from 'node:crypto';
import type { UserId } from '@skirmish/protocol';
import { sql, type Kysely } from 'kysely';
import type { Database } from './database.ts';
import { startHealth } from './development-world.ts';
import type { Schema } from './schema.ts';

/** Short ids stay readable; any other becomes a hash, marked so that the two kinds never meet. */
const characterIdFor = (userId: string, hash: Buffer): string =>
  /^[A-Za-z0-9_-]{1,60}$/.test(userId) ? `c-${userId}` : `c-#${hash.toString('hex').slice(0, 32)}`;

/** The character of a user, in the meadow south of the seeded players, always at the same place. */
export const ensureDevelopmentUserIn = async (db: Kysely<Schema>, userId: string, roles: readonly string[]): Promise<void> => {
  const hash = createHash('sha256').update(userId).digest();
  const x = 400 + (hash.readUInt16BE(0) % 200);
  const y = 550 + (hash.readUInt16BE(2) % 50);
  await sql`
    with newcomer as (
      insert into users (user_id, name, roles) values (${userId}, ${userId}, ${roles}) on conflict do nothing
    )
    insert into characters (character_id, user_id, name, zone_id, x, y, health, health_max, start_zone_id, start_x, start_y)
    select ${characterIdFor(userId, hash)}, ${userId}, ${userId}, 'meadow', ${x}::float8, ${y}::float8, ${startHealth}, ${startHealth},
      'meadow', ${x}::float8, ${y}::float8
    where not exists (select from characters where user_id = ${userId})
    on conflict do nothing`.execute(db);
};

/** Makes sure that a user exists and has a character; for the development world, where any user id may ask for a token. Safe to repeat and to race. */
export const ensureDevelopmentUser = (database: Database, userId: UserId): Promise<void> => ensureDevelopmentUserIn(database.db, userId, ['player']);
