import { createDatabase, ensureDevelopmentUser } from '@skirmish/database';
import type { Presence, UserId } from '@skirmish/protocol';
import { createRedis, keysOf, type RealmKeys, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services, uniqueRealm } from '@skirmish/testing';
import { type Client, join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

/** Three gateways of one realm in this process, with players in two guilds and two zones. */
export interface WatchBench extends AsyncDisposable {
  readonly world: TestWorld;
  readonly env: Readonly<Record<string, string>>;
  readonly gateways: readonly TestGateway[];
  readonly redis: Redis;
  readonly keys: RealmKeys;
  /** What one gateway serves of the realm. */
  served(index: number): TestGateway['gateway']['realms'][number];
  /** Whose presence has been announced, and whose may have to be. */
  state(): Promise<{ announced: string[]; changed: string[] }>;
  /** Until whoever is there is announced, and nobody else waits. */
  announced(...users: string[]): Promise<void>;
}

/** `p11` … `p20` are in the forest, all others in the meadow; odd ones in guild `red`, even ones in `blue`. `users` exist besides. */
export async function startWatchBench(graceMs: number, { users = [], redisUrl = services().redisUrl, renewIntervalMs = 300 }: { users?: readonly string[]; redisUrl?: string; renewIntervalMs?: number } = {}): Promise<WatchBench> {
  const world = await startWorld(150);
  {
    await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
    for (const userId of users) await ensureDevelopmentUser(database, userId as UserId);
    const inForest = Array.from({ length: 10 }, (_, n) => `p${n + 11}`);
    await database.db.updateTable('characters').set({ zone_id: 'forest' }).where('user_id', 'in', inForest).execute();
  }
  const realm = uniqueRealm();
  const env = { REALMS: realm, REDIS_URL: redisUrl, QUEUE_REDIS_URL: redisUrl, PRESENCE_GRACE_MS: String(graceMs), RENEW_INTERVAL_MS: String(renewIntervalMs), RATE_LIMIT_SCALE: '1000', HANDSHAKES_PER_SECOND_MAX: '10000' };
  const gateways = [await startGateway(world, env), await startGateway(world, env), await startGateway(world, env)];
  const redis = createRedis({ url: redisUrl, name: 'watch-bench', role: 'command' });
  await whenReady(redis);
  const keys = keysOf(realm as never);
  const state = async () => ({ announced: (await redis.hkeys(keys.presenceAnnounced)).sort(), changed: await redis.zrange(keys.presenceChanged, '0', '-1') });
  return {
    world,
    env,
    gateways,
    redis,
    keys,
    served: (index) => gateways[index]!.gateway.realms[0]!,
    state,
    announced: (...expected) =>
      eventually(async () => {
        const { announced, changed } = await state();
        if (changed.length > 0 || announced.join() !== [...expected].sort().join()) throw new Error(`announced ${announced.join()}, changed ${changed.join()}`);
      }, { timeoutMs: 15_000, what: `${expected.join()} to be announced` }),
    [Symbol.asyncDispose]: async () => {
      redis.disconnect();
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

export type Statuses = Record<string, Presence['status']>;
type Users = { users: Record<string, Presence> };

/** Asks for users, and answers their statuses. */
export async function watch(client: Client, ...userIds: string[]): Promise<Statuses> {
  const answer = await client.ask<Users>('presence:watch', { userIds });
  if (!answer.ok) throw new Error(answer.error.code);
  for (const { online, status } of Object.values(answer.data.users)) if (online !== (status !== 'offline')) throw new Error('online and status differ');
  return Object.fromEntries(Object.entries(answer.data.users).map(([userId, { status }]) => [userId, status]));
}

/** All that a client heard of watched users, in order: `p1 online`. */
export function changesHeard(client: Client): string[] {
  return client.payloads<Users>('presence:changed').flatMap(({ users }) => Object.entries(users).map(([userId, { status }]) => `${userId} ${status}`));
}

/** All that a client heard of members of its guild, in order: `+p1`, `-p1`. */
export function membersHeard(client: Client): string[] {
  return client.heard.flatMap(({ event, args }) => {
    const sign = event === 'guild:member-online' ? '+' : event === 'guild:member-offline' ? '-' : null;
    return sign === null ? [] : [sign + (args[0] as { userId: string }).userId];
  });
}

/** Everything that was published on the channel of the realm about a user: how often it was announced. */
export async function announcementsOf(redisUrl: string, keys: RealmKeys): Promise<{ of(userId: string): string[]; messages(): number } & Disposable> {
  const subscriber = createRedis({ url: redisUrl, name: 'overhearing', role: 'subscriber' });
  const heard: [string, string][] = [];
  let messages = 0;
  subscriber.on('message', (_channel: string, text: string) => {
    const body = JSON.parse(text) as { kind?: string; users: [string, string][] };
    if (body.kind !== 'presence') return;
    messages += 1;
    for (const [user, status] of body.users) heard.push([user, status]);
  });
  await subscriber.subscribe(keys.volatile('realm' as never));
  return {
    of: (userId) => heard.flatMap(([user, status]) => (user === userId ? [status] : [])),
    messages: () => messages,
    [Symbol.dispose]: () => { subscriber.disconnect(); },
  };
}

/** Connects users, the n-th to gateway n mod 3. */
export const enter = (bench: WatchBench, ...userIds: string[]): Promise<Client[]> => Promise.all(userIds.map((userId, n) => join(bench.gateways[n % 3]!, userId)));
