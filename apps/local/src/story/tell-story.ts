import { once } from 'node:events';
import { createDatabase } from '@skirmish/database';
import { createEmitter, RealtimeService } from '@skirmish/emitter';
import type { RealmId, UserId } from '@skirmish/protocol';
import { createRedis } from '@skirmish/redis';
import type { ClusterDescription } from '../cluster/cluster-file.ts';
import { fight, type FightResult } from './fight.ts';
import { DemoPlayer } from './demo-player.ts';
import { developmentToken } from './development-token.ts';
import type { Narrator } from './narrator.ts';

export interface StoryOptions {
  cluster: ClusterDescription;
  realm: string;
  narrator: Narrator;
}

interface Pair {
  one: DemoPlayer;
  two: DemoPlayer;
  zoneId: string;
}

const connectTriesMax = 12;

/** The main job, from two connections to the row in Postgres; rejects at the first thing that is not as it should be. */
export async function tellStory(options: StoryOptions): Promise<void> {
  const pair = await connectPair(options);
  try {
    await chat(options, pair);
    await walk(options, pair);
    const result = await options.narrator.tell(
      () => fight(pair.one, pair.two),
      ({ combatId, blows, outcome, winner }) => `fight ${combatId}: ${blows} turns, ${outcome} of ${winner}; both players saw the same ${blows + 2} events in the same order`,
    );
    await remember(options, result);
  } finally {
    pair.one.close();
    pair.two.close();
  }
}

async function connectPair({ cluster, realm, narrator }: StoryOptions): Promise<Pair> {
  const first = await narrator.tell(
    () => connectFree(cluster.url, realm),
    ({ player, welcome }) => `${player.userId} connects through ${cluster.url} and is welcomed in ${placeIn(welcome)}`,
  );
  const one = first.player;
  try {
    const { player: two } = await narrator.tell(
      () => connectElsewhere(cluster, realm, one),
      ({ player, tries, welcome }) => `${player.userId} connects as well, ${placeIn(welcome)}, to another gateway (${tries === 1 ? 'at once' : `try ${tries}`})`,
    );
    await narrator.tell(
      () => gatewaysOf(cluster, realm, [one.userId, two.userId]),
      ([a, b]) => `gateways: ${one.userId} on ${a ?? '?'}, ${two.userId} on ${b ?? '?'}`,
    );
    return { one, two, zoneId: placeIn(first.welcome) };
  } catch (error) {
    one.close();
    throw error;
  }
}

/** A player in no fight: an odd number, so that the next one stands beside it. */
async function connectFree(url: string, realm: string): Promise<{ player: DemoPlayer; welcome: Record<string, unknown> }> {
  for (let tries = 1; ; tries += 1) {
    const connected = await DemoPlayer.connect(url, realm, 1 + 2 * Math.floor(Math.random() * 10));
    if (isFree(connected.welcome) || tries === connectTriesMax) return connected;
    connected.player.close();
  }
}

const isFree = (welcome: Record<string, unknown>): boolean => Array.isArray(welcome['combats']) && welcome['combats'].length === 0;

/** The balancer gives no affinity, so a connection may come to the same gateway: then another one is made. */
async function connectElsewhere(
  cluster: ClusterDescription,
  realm: string,
  other: DemoPlayer,
): Promise<{ player: DemoPlayer; welcome: Record<string, unknown>; tries: number }> {
  const number = Number(other.userId.slice(1)) + 1;
  const alone = cluster.processes.filter(({ role }) => role === 'gateway').length < 2;
  // One token for all tries: with two requests per try, round robin over two gateways would come to the same one for ever.
  const token = await developmentToken(cluster.url, `p${number}`);
  for (let tries = 1; tries <= connectTriesMax; tries += 1) {
    const connected = await DemoPlayer.connect(cluster.url, realm, number, token);
    const [here, there] = await gatewaysOf(cluster, realm, [other.userId, connected.player.userId]);
    if (alone || (here !== undefined && there !== undefined && here !== there)) return { ...connected, tries };
    connected.player.close();
  }
  throw new Error(`${connectTriesMax} connections in a row came to the same gateway: does the load balancer stick?`);
}

/** On which gateway the newest socket of each user is: the question any backend service may ask. */
async function gatewaysOf(cluster: ClusterDescription, realm: string, userIds: string[]): Promise<(string | undefined)[]> {
  const redis = createRedis({ url: cluster.redisUrl, name: 'demo', role: 'command' });
  try {
    if (redis.status !== 'ready') await once(redis, 'ready');
    const realtime = new RealtimeService(createEmitter({ redis, realm: realm as RealmId }), redis);
    return await Promise.all(userIds.map(async (userId) => (await realtime.getUserSockets(userId as UserId)).at(-1)?.gateway));
  } finally {
    redis.disconnect();
  }
}

async function chat({ narrator }: StoryOptions, { one, two, zoneId }: Pair): Promise<void> {
  const channel = { kind: 'zone', id: zoneId };
  const text = `well met, number ${Math.floor(Math.random() * 1e9)}`;
  await narrator.tell(
    async () => {
      const { messageId } = await one.command('chat:send', { channel, text });
      const same = (message: Record<string, unknown>): boolean => message['messageId'] === messageId;
      const [heard] = await Promise.all([two.next('chat:message', same), one.next('chat:message', same)]);
      if (heard['text'] !== text) throw new Error(`${two.userId} read "${String(heard['text'])}" instead of "${text}"`);
    },
    () => `${one.userId} says "${text}" in ${zoneId}; the moderation worker passes it and ${two.userId} reads it`,
  );
  await narrator.tell(
    async () => {
      const { messageId } = await one.command('chat:send', { channel, text: `a vileword, ${Math.random()}` });
      const refused = await one.next('chat:refused', (refusal) => refusal['messageId'] === messageId);
      if (refused['code'] !== 'chat/profanity') throw new Error(`the vileword was refused with ${String(refused['code'])}`);
      if (two.heard('chat:message').some((message) => message['messageId'] === messageId)) throw new Error(`${two.userId} read the vileword`);
    },
    () => `${one.userId} says a vileword; it is refused (chat/profanity) and ${two.userId} never sees it`,
  );
}

async function walk({ narrator }: StoryOptions, { one, two, zoneId }: Pair): Promise<void> {
  const start = await placeOf(one, zoneId);
  const goal = { x: start.x + 3, y: start.y + 2 };
  await narrator.tell(
    async () => {
      await one.ask('character:move', { seq: 1, ...goal });
      await two.next('zone:tick', (tick) => movesIn(tick).some(([id, x, y]) => id === one.characterId && near(x, goal.x) && near(y, goal.y)));
    },
    () => `${one.userId} walks to (${goal.x}, ${goal.y}); ${two.userId} sees it in a zone:tick`,
  );
}

async function placeOf(player: DemoPlayer, zoneId: string): Promise<{ x: number; y: number }> {
  const { characters } = await player.ask('zone:roster', { zoneId });
  const own = (characters as { characterId: string; x: number; y: number }[]).find(({ characterId }) => characterId === player.characterId);
  if (own === undefined) throw new Error(`${player.characterId} is not in the roster of ${zoneId}`);
  return own;
}

async function remember({ cluster, narrator }: StoryOptions, { combatId, blows }: FightResult): Promise<void> {
  await using database = createDatabase({ url: cluster.databaseUrl, poolMax: 1, applicationName: 'skirmish-demo' });
  await narrator.tell(
    async () => {
      const rows = await database.db.selectFrom('combat_events').select('seq').where('combat_id', '=', combatId).orderBy('seq').execute();
      const wanted = blows + 2;
      if (rows.length !== wanted || rows.some(({ seq }, index) => seq !== index + 1)) {
        throw new Error(`Postgres has the events ${rows.map(({ seq }) => seq).join()} of the fight, not 1 to ${wanted}`);
      }
      return rows.length;
    },
    (count) => `Postgres keeps the fight: ${count} events, numbered 1 to ${count} without a hole`,
  );
}

function placeIn(welcome: Record<string, unknown>): string {
  const zone = welcome['zone'] as { id?: string } | null;
  if (zone?.id === undefined) throw new Error('the welcome names no zone');
  return zone.id;
}

const movesIn = (tick: Record<string, unknown>): [string, number, number][] => (Array.isArray(tick['moved']) ? (tick['moved'] as [string, number, number][]) : []);

const near = (a: number, b: number): boolean => Math.abs(a - b) < 0.5;
