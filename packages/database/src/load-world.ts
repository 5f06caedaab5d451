import type { ZoneId } from '@skirmish/protocol';
import type { Database } from './database.ts';
import type { PlayerZone } from './load-player.ts';

export interface Portal {
  readonly from: { readonly zoneId: ZoneId; readonly x: number; readonly y: number };
  readonly to: { readonly zoneId: ZoneId; readonly x: number; readonly y: number };
  /** How near one must stand, in world units. */
  readonly reach: number;
}

export interface World {
  readonly zones: readonly PlayerZone[];
  /** One per direction. */
  readonly portals: readonly Portal[];
}

/** All zones and portals, for a process to keep; two queries. Throws the database's error; ask `toRejection`. */
export const loadWorld = async ({ db }: Database): Promise<World> => {
  const [zones, portals] = await Promise.all([
    db.selectFrom('zones').selectAll().orderBy('zone_id').execute(),
    db.selectFrom('portals').selectAll().orderBy('from_zone_id').orderBy('to_zone_id').execute(),
  ]);
  return {
    zones: zones.map(({ zone_id, opens_instances, ...zone }) => ({ ...zone, id: zone_id as ZoneId, opensInstances: opens_instances })),
    portals: portals.map((row) => ({
      from: { zoneId: row.from_zone_id as ZoneId, x: row.from_x, y: row.from_y },
      to: { zoneId: row.to_zone_id as ZoneId, x: row.to_x, y: row.to_y },
      reach: row.reach,
    })),
  };
};
