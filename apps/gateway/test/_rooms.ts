import type { Player } from '@skirmish/database';
import { createDatabase, ensureDevelopmentUser } from '@skirmish/database';
import type { CombatId, UserId, ZoneId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { services } from '@skirmish/testing';
import type { Session } from '../src/connection/session.ts';
import { startGateway, startWorld, type TestGateway } from './_gateway.ts';

/** Three gateways of one realm in this process, and what the rooms of it leave in Redis. */
export interface RoomsBench extends AsyncDisposable {
  readonly gateways: readonly TestGateway[];
  readonly redis: Redis;
  /** The realm as the gateway `index` serves it. */
  served(index: number): TestGateway['gateway']['realms'][number];
  /** The newest session of a user on a gateway. */
  session(index: number, userId: string): Session;
  /** Names of all keys of the realm, without its prefix, sorted; not those of limits, which go by themselves within seconds. */
  keys(): Promise<string[]>;
}

/** `users` exist besides those of the development world; `env` is the configuration of the gateways. */
export async function startRoomsBench(users: readonly string[] = [], env: Record<string, string> = {}): Promise<RoomsBench> {
  const world = await startWorld(40);
  {
    await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
    for (const userId of users) await ensureDevelopmentUser(database, userId as UserId);
  }
  const first = await startGateway(world, env);
  const others = { ...env, REALMS: first.realm };
  const gateways = [first, await startGateway(world, others), await startGateway(world, others)];
  const redis = createRedis({ url: env['REDIS_URL'] ?? services().redisUrl, name: 'rooms-bench', role: 'command' });
  await whenReady(redis);
  const { prefix } = keysOf(first.realm as never);
  const served = (index: number) => gateways[index]!.gateway.realms[0]!;
  return {
    gateways,
    redis,
    served,
    session: (index, userId) => served(index).sessions.of(userId as UserId).at(-1)!,
    keys: async () => (await redis.keys(`${prefix}*`)).map((key) => key.slice(prefix.length)).filter((key) => !key.startsWith('limit:')).sort(),
    [Symbol.asyncDispose]: async () => {
      redis.disconnect();
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** What the server knows of a session's player becomes another: its zone, with so many places. */
export function putInZone(session: Session, id: string, capacity: number): void {
  const { player } = session;
  const character = player.character!;
  session.player = { ...player, character: { ...character, zone: { ...character.zone, id: id as ZoneId, capacity } } };
}

/** The server knows of a fight of the session's player. */
export function putInCombat(session: Session, id: string): void {
  session.player = { ...session.player, combats: [...session.player.combats, id as CombatId] } satisfies Player;
}
