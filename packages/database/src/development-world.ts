import type { Insertable } from 'kysely';
import type { GuildsTable, PortalsTable, ZonesTable } from './schema.ts';

/** The places that examples, load scripts and tests of anybody rely on; the protocol document describes them. */
export const zones: readonly Insertable<ZonesTable>[] = [
  { zone_id: 'meadow', name: 'Meadow', width: 1000, height: 1000, capacity: 500, opens_instances: false, battleground: true },
  { zone_id: 'forest', name: 'Forest', width: 1000, height: 1000, capacity: 500, opens_instances: true, battleground: false },
  { zone_id: 'keep', name: 'Keep', width: 200, height: 200, capacity: 10, opens_instances: false, battleground: false },
  { zone_id: 'arena', name: 'Arena', width: 2000, height: 2000, capacity: 2000, opens_instances: false, battleground: true },
];

type Place = readonly [zoneId: string, x: number, y: number];
const reach = 20;
const oneWay = ([from_zone_id, from_x, from_y]: Place, [to_zone_id, to_x, to_y]: Place): Insertable<PortalsTable> => ({
  from_zone_id,
  from_x,
  from_y,
  to_zone_id,
  to_x,
  to_y,
  reach,
});
const bothWays = (one: Place, other: Place): readonly Insertable<PortalsTable>[] => [oneWay(one, other), oneWay(other, one)];

export const portals: readonly Insertable<PortalsTable>[] = [
  ...bothWays(['meadow', 990, 500], ['forest', 10, 500]),
  ...bothWays(['forest', 500, 990], ['keep', 100, 10]),
  ...bothWays(['meadow', 500, 10], ['arena', 1000, 10]),
];

export const guilds: readonly Insertable<GuildsTable>[] = [
  { guild_id: 'red', name: 'Red' },
  { guild_id: 'blue', name: 'Blue' },
];

/** As many start in the meadow; those above start in the arena. */
export const meadowPlayers = 500;
/** The last of them stand beside the portal to the forest. */
export const firstAtPortal = 481;

/** Health of a character that has not earned any other. */
export const startHealth = 100;
