import type { CharacterId, CombatId, GuildId, RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { sql, type RawBuilder } from 'kysely';
import type { Database } from './database.ts';
import { shownName } from './shown-name.ts';

/** In force now; `untilMs` null: for ever. */
export interface Sanction {
  readonly reason: string;
  readonly untilMs: number | null;
}

export interface PlayerZone {
  readonly id: ZoneId;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly capacity: number;
  readonly opensInstances: boolean;
  readonly battleground: boolean;
}

export interface PlayerCharacter {
  readonly characterId: CharacterId;
  readonly name: string;
  /** Where it was last stored. */
  readonly zone: PlayerZone;
  readonly x: number;
  readonly y: number;
  readonly facing: number;
  readonly health: number;
  readonly healthMax: number;
}

/** Everything that a gateway must know of a user who connects. */
export interface Player {
  readonly userId: UserId;
  readonly name: string;
  readonly roles: readonly string[];
  readonly ban: Sanction | null;
  readonly mute: Sanction | null;
  /** Tokens that were issued before it are void; null: all are good. */
  readonly tokensValidFromMs: number | null;
  /** The character asked for, else the user's first; null when the user has none, or not that one. */
  readonly character: PlayerCharacter | null;
  readonly guild: { readonly id: GuildId; readonly name: string; readonly rank: string } | null;
  /** Fights that have not ended. */
  readonly combats: readonly CombatId[];
  /** Of the realms asked about, those in whose mailbox something waits. */
  readonly mail: readonly RealmId[];
}

export interface PlayerQuery {
  readonly userId: UserId;
  readonly characterId?: CharacterId;
  /** Realms whose mailbox is looked into; default none. */
  readonly mailOf?: readonly string[];
}

interface PlayerRow {
  user_id: string;
  user_name: string;
  roles: string[];
  tokens_valid_from_ms: number | null;
  ban_reason: string | null;
  ban_until_ms: number | null;
  mute_reason: string | null;
  mute_until_ms: number | null;
  character_id: string | null;
  character_name: string;
  x: number;
  y: number;
  facing: number;
  health: number;
  health_max: number;
  zone_id: string;
  zone_name: string;
  width: number;
  height: number;
  capacity: number;
  opens_instances: boolean;
  battleground: boolean;
  guild_id: string | null;
  guild_name: string;
  rank: string;
  combats: string[];
  mail: string[];
}

/** The longest sanction of a kind that is in force; the kind stands in the text, so that the partial index fits. */
const sanctionInForce = (ofKind: RawBuilder<unknown>, userId: string) => sql`
  select reason, until_ms from sanctions
  where user_id = ${userId} and ${ofKind} and lifted_at_ms is null and (until_ms is null or until_ms > now_ms())
  order by until_ms desc nulls first limit 1`;

/** The one query of `loadPlayer`; exported so that a test can ask Postgres how it would run it. */
export const playerQuery = ({ userId, characterId, mailOf = [] }: PlayerQuery) => sql<PlayerRow>`
  select u.user_id, u.name as user_name, u.roles, u.tokens_valid_from_ms,
    ban.reason as ban_reason, ban.until_ms as ban_until_ms, mute.reason as mute_reason, mute.until_ms as mute_until_ms,
    c.character_id, c.name as character_name, c.x, c.y, c.facing, c.health, c.health_max,
    z.zone_id, z.name as zone_name, z.width, z.height, z.capacity, z.opens_instances, z.battleground,
    g.guild_id, g.name as guild_name, m.rank,
    array(select combat_id::text from combatants where user_id = ${userId} and open order by combat_id) as combats,
    array(
      select realm from unnest(${[...mailOf]}::text[]) realm
      where exists (
        select from mailbox where mailbox.realm = realm.realm and mailbox.user_id = ${userId} and delivered_at_ms is null
          and (expires_at_ms is null or expires_at_ms > now_ms())
      )
    ) as mail
  from users u
  left join lateral (${sanctionInForce(sql`kind = 'ban'`, userId)}) ban on true
  left join lateral (${sanctionInForce(sql`kind = 'mute'`, userId)}) mute on true
  left join lateral (
    select character_id, name, zone_id, x, y, facing, health_max,
      case when recovered_at_ms <= now_ms() then health_max else health end as health
    from characters
    where user_id = ${userId} and (${characterId ?? null}::text is null or character_id = ${characterId ?? null}::text)
    order by created_at_ms, character_id limit 1
  ) c on true
  left join zones z on z.zone_id = c.zone_id
  left join guild_members m on m.user_id = u.user_id
  left join guilds g on g.guild_id = m.guild_id
  where u.user_id = ${userId}`;

const sanctionOf = (reason: string | null, untilMs: number | null): Sanction | null => (reason === null ? null : { reason, untilMs });

const zoneOf = (row: PlayerRow): PlayerZone => ({
  id: row.zone_id as ZoneId,
  name: shownName(row.zone_name),
  width: row.width,
  height: row.height,
  capacity: row.capacity,
  opensInstances: row.opens_instances,
  battleground: row.battleground,
});

const characterOf = (row: PlayerRow): PlayerCharacter | null =>
  row.character_id === null
    ? null
    : {
        characterId: row.character_id as CharacterId,
        name: shownName(row.character_name),
        zone: zoneOf(row),
        x: row.x,
        y: row.y,
        facing: row.facing,
        health: row.health,
        healthMax: row.health_max,
      };

/**
 * A user with ban, mute, character, zone, guild, open fights and waiting mail in one query, by index. Null when there is no such user. Throws
 * the database's error; ask `toRejection`.
 */
export const loadPlayer = async (database: Database, query: PlayerQuery): Promise<Player | null> => {
  const { rows } = await playerQuery(query).execute(database.db);
  const [row] = rows;
  if (row === undefined) return null;
  return {
    userId: row.user_id as UserId,
    name: shownName(row.user_name),
    roles: row.roles,
    ban: sanctionOf(row.ban_reason, row.ban_until_ms),
    mute: sanctionOf(row.mute_reason, row.mute_until_ms),
    tokensValidFromMs: row.tokens_valid_from_ms,
    character: characterOf(row),
    guild: row.guild_id === null ? null : { id: row.guild_id as GuildId, name: shownName(row.guild_name), rank: row.rank },
    combats: row.combats as CombatId[],
    mail: row.mail as RealmId[],
  };
};
