import { randomBytes } from 'node:crypto';
import type { Emitter } from '@skirmish/emitter';
import { roomOf, type PartyId, type RoomName, type UserId, type ZoneId } from '@skirmish/protocol';
import { compareStreamIds, keysOf, type RealmKeys, type Redis } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { startCluster, type Cluster, type ClusterOptions, type GatewayHandle } from './_cluster.ts';
import { checkJourney, type JourneyReport } from './_delivery-checker.ts';
import { startNginx, type Nginx } from './_nginx.ts';
import { startTraffic, type Traffic } from './_traffic.ts';
import { Traveller } from './_traveller.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
/** Events per second: at least 200 together, whatever the number of clients. */
const zonePerSecond = 90;
const partyPerSecond = 70;
const usersPerSecond = 60;

/** Gateways behind nginx, workers that emit, and what tests ask of Redis. */
export interface ChaosWorld extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly nginx: Nginx;
  readonly traffic: Traffic;
  readonly redis: Redis;
  readonly keys: RealmKeys;
  readonly emitter: Emitter;
  /** Lets nginx use these gateways only. */
  use(gateways: readonly GatewayHandle[]): Promise<void>;
  /** Another traveller, who is closed at the end of the party. */
  traveller(userId: string): Promise<Traveller>;
}

/** One run: travellers under traffic, of whom all but the last are in a party. */
export interface ChaosRun {
  readonly world: ChaosWorld;
  readonly travellers: readonly Traveller[];
  /** Joins the connected ones of these to the party. */
  join(travellers: readonly Traveller[]): Promise<void>;
  /** Resolves when every one of these has heard `count` more events. */
  hear(travellers: readonly Traveller[], count: number): Promise<void>;
}

export interface Verdict {
  userId: string;
  report: JourneyReport;
  recovered: boolean[];
  /** For whoever looks for the reason of a loss: what was lost, with ids, the memberships of its room, and all welcomes. */
  evidence: object;
}

export async function startChaosWorld(options: ClusterOptions): Promise<ChaosWorld> {
  const stack = new AsyncDisposableStack();
  try {
    const cluster = stack.use(await startCluster({ combatWorkers: 0, moderationWorkers: 0, ...options }));
    const ports = (gateways: readonly GatewayHandle[]): number[] => gateways.map(({ process }) => process.ready.publicPort ?? 0);
    const nginx = stack.use(await startNginx(ports(cluster.gateways)));
    const traffic = stack.use(await startTraffic(cluster.env));
    const redis = cluster.command();
    await eventually(() => redis.status === 'ready');
    const all = stack.move();
    return {
      cluster, nginx, traffic, redis,
      keys: keysOf(cluster.realm),
      emitter: cluster.emitter(),
      use: (gateways) => nginx.use(ports(gateways)),
      traveller: async (userId) => Traveller.create(userId, nginx.port, { realm: cluster.realm, token: await cluster.token(userId) }),
      [Symbol.asyncDispose]: () => all.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** The id of the gateway that holds each traveller now, as Redis has it. */
export async function gatewayOf({ redis, keys }: ChaosWorld, traveller: Traveller): Promise<string> {
  const sockets = await redis.hgetall(keys.user(traveller.userId as UserId));
  const record = sockets[traveller.player.socket.id ?? ''];
  if (record === undefined) throw new Error(`${traveller.userId} is not registered`);
  return (JSON.parse(record) as { gateway: string }).gateway;
}

/** Whether the record from which this session can be resumed stands in Redis. */
export async function hasRecord({ redis, keys }: ChaosWorld, traveller: Traveller): Promise<boolean> {
  return (await redis.exists(keys.session(traveller.pid ?? ''))) === 1;
}

/**
 * Runs `story` with travellers who are not connected yet, under traffic to the zone, to a party, to each user and to further rooms; then ends the traffic, waits
 * until everybody should have everything, and judges each of them.
 */
export async function runChaos(world: ChaosWorld, count: number, story: (run: ChaosRun) => Promise<void>, alsoTo: readonly RoomName[] = []): Promise<Verdict[]> {
  const party = roomOf.party(`party-${randomBytes(4).toString('hex')}` as PartyId);
  await using stack = new AsyncDisposableStack();
  const travellers: Traveller[] = [];
  for (let n = 1; n <= count; n += 1) travellers.push(stack.use(await world.traveller(`p${n}`)));
  for (const traveller of travellers) {
    for (const room of [roomOf.user(traveller.userId as UserId), meadow]) traveller.memberships.push({ room, since: '0-0', until: null });
  }
  const users = travellers.map(({ userId }) => ({ room: roomOf.user(userId as UserId), perSecond: usersPerSecond / count }));
  world.traffic.start([{ room: meadow, perSecond: zonePerSecond }, { room: party, perSecond: partyPerSecond }, ...users, ...alsoTo.map((room) => ({ room, perSecond: 30 }))]);
  const run: ChaosRun = {
    world, travellers,
    join: async (some) => {
      await Promise.all(some.map(async (traveller) => {
        const { id } = await world.emitter.join({ rooms: [roomOf.user(traveller.userId as UserId)] }, [party]);
        traveller.memberships.push({ room: party, since: id, until: null });
      }));
    },
    hear,
  };
  await story(run);
  await world.traffic.pause();
  await Promise.all(travellers.map((traveller) => caughtUp(world, traveller).catch(() => undefined)));
  return travellers.map((traveller) => {
    const report = checkJourney(world.traffic.emissions, traveller.memberships, traveller.steps());
    return { userId: traveller.userId, report, recovered: [...traveller.recovered], evidence: evidenceOf(world, traveller, report) };
  });
}

function evidenceOf({ traffic }: ChaosWorld, traveller: Traveller, { lost, foreign }: JourneyReport): object {
  const wrong = [...lost, ...foreign];
  const emissions = traffic.emissions.filter(({ sender, number }) => wrong.includes(`${sender}#${number}`));
  const rooms = new Set(emissions.map(({ room }) => room));
  const welcomes = traveller.steps().filter(({ kind }) => kind === 'welcome');
  const heard = traveller.player.received.filter(({ event }) => event === 'session:welcome' || event === 'session:closed').map(({ event, atMs }) => `${event} at ${atMs}`);
  return { emissions, memberships: traveller.memberships.filter(({ room }) => rooms.has(room)), welcomes: wrong.length > 0 ? [welcomes, heard] : [] };
}

async function hear(travellers: readonly Traveller[], count: number): Promise<void> {
  const before = new Map(travellers.map((traveller) => [traveller, traveller.player.received.length]));
  await eventually(() => {
    const behind = travellers.filter((traveller) => {
      const fresh = traveller.player.received.slice(before.get(traveller)).filter(({ event }) => event === 'app:n');
      return fresh.length < count;
    });
    if (behind.length > 0) throw new Error(`not by ${behind.map(({ userId, player }) => `${userId} (${player.socket.connected ? 'connected' : 'away'})`).join(', ')}`);
  }, { timeoutMs: 40_000, what: `${count} further events for everybody` });
}

/** Whoever does not get there is told what is missing by the checker. */
async function caughtUp({ traffic }: ChaosWorld, traveller: Traveller): Promise<void> {
  const own = new Set(traveller.memberships.map(({ room }) => room));
  const last = traffic.emissions.filter(({ room }) => own.has(room)).reduce((latest, { id }) => (compareStreamIds(id, latest) > 0 ? id : latest), '0-0');
  await eventually(() => traveller.player.socket.connected && compareStreamIds(traveller.offset ?? '0-0', last) >= 0, { timeoutMs: 15_000, what: 'the last event' });
}
