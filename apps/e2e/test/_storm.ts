import { randomBytes } from 'node:crypto';
import { roomOf, type CombatId, type RoomName, type UserId, type ZoneId } from '@skirmish/protocol';
import { compareStreamIds } from '@skirmish/redis';
import { eventually, timePasses } from '@skirmish/testing';
import { type ChaosRun, type ChaosWorld } from './_chaos-world.ts';
import type { Membership } from './_delivery-checker.ts';
import type { Traveller } from './_traveller.ts';

const meadow = roomOf.zone('meadow' as ZoneId);

/** The same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Move {
  id: string;
  joined: boolean;
  room: RoomName;
  userIds: readonly string[];
}

/** What happened to gateways and connections, for the message of a failure. */
export interface StormReport {
  deeds: string[];
  fights: readonly RoomName[];
}

export interface StormOptions {
  seed: number;
  durationMs: number;
  /** How many deeds per second, about. */
  pace: number;
  /** Whether gateways are killed and frozen, and Redis stands still for moments. */
  processes: boolean;
}

/** Fights whose members change all the time; made before the run, so that traffic can go there. */
export const fightsOf = (): RoomName[] => ['a', 'b'].map((name) => roomOf.combat(`storm-${name}-${randomBytes(3).toString('hex')}` as CombatId));

/**
 * Cuts, drops and freezes at random, one deed after another, while memberships change at random; afterwards each traveller's memberships are
 * those that the realm clock gives. Resolves when everybody is connected again.
 */
export async function storm(run: ChaosRun, fights: readonly RoomName[], options: StormOptions): Promise<StormReport> {
  const { world, travellers } = run;
  const random = randomOf(options.seed);
  const pick = <T>(list: readonly T[]): T => {
    const one = list[Math.floor(random() * list.length)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  };
  const moves: Move[] = [];
  const moving: Promise<void>[] = [];
  const deeds: string[] = [];
  const move = (): void => {
    const [joined, room, everybody] = [random() < 0.55, pick(fights), random() < 0.15];
    const targets = everybody ? travellers : [pick(travellers)];
    const target = { rooms: [everybody ? meadow : roomOf.user(targets[0]?.userId as UserId)] };
    moving.push((joined ? world.emitter.join(target, [room]) : world.emitter.leave(target, [room])).then(({ id }) => {
      moves.push({ id, joined, room, userIds: targets.map(({ userId }) => userId) });
    }));
  };
  const connectionDeeds: [name: string, deed: (traveller: Traveller) => void][] = [
    ['drop', (traveller) => { traveller.drop(); }],
    ['strand', (traveller) => { traveller.proxy.strand(); }],
    ['drop at the next welcome', (traveller) => {
      const at = traveller.recovered.length + 1;
      traveller.onWelcome((welcome) => { if (welcome === at) traveller.drop(); });
      traveller.drop();
    }],
    ['drop twice', (traveller) => { traveller.drop(); setTimeout(() => { traveller.drop(); }, 120); }],
  ];
  const endsAt = performance.now() + options.durationMs;
  while (performance.now() < endsAt) {
    move();
    const traveller = pick(travellers);
    const [name, deed] = pick(connectionDeeds);
    const roll = random();
    if (options.processes && roll < 0.05) deeds.push(`${Date.now()} ${await hurtProcess(world, pick, random)}`);
    else if (roll < 0.6) {
      deeds.push(`${Date.now()} ${name} ${traveller.userId}`);
      deed(traveller);
    }
    await timePasses((2 * random() * 1_000) / options.pace, 'the next deed comes after a moment');
  }
  await Promise.all(moving);
  await eventually(() => travellers.every(({ player }) => player.socket.connected), { timeoutMs: 40_000, what: 'the return of everybody' });
  for (const traveller of travellers) traveller.memberships.push(...fights.flatMap((room) => membershipsOf(moves, traveller.userId, room)));
  return { deeds, fights };
}

async function hurtProcess(world: ChaosWorld, pick: <T>(list: readonly T[]) => T, random: () => number): Promise<string> {
  const { cluster } = world;
  const running = cluster.gateways.filter(({ process }) => process.isRunning());
  const gateway = pick(running);
  const roll = random();
  if (roll < 0.3) {
    await world.use([...running, await cluster.addGateway()]);
    await gateway.process.kill();
    await world.use(cluster.gateways.filter(({ process }) => process.isRunning()));
    return `kill ${gateway.incarnation}`;
  }
  if (roll < 0.6) {
    gateway.process.pause();
    const frozenMs = 500 + random() * 7_000;
    setTimeout(() => { gateway.process.resume(); }, frozenMs);
    return `freeze ${gateway.incarnation} for ${Math.round(frozenMs)} ms`;
  }
  if (roll < 0.8) {
    await world.use([...running, await cluster.addGateway()]);
    await gateway.process.stop();
    await world.use(cluster.gateways.filter(({ process }) => process.isRunning()));
    return `stop ${gateway.incarnation}`;
  }
  cluster.redis.pause();
  const stillMs = 200 + random() * 1_500;
  await timePasses(stillMs, 'Redis stands still for a moment');
  cluster.redis.resume();
  return `Redis stands still for ${Math.round(stillMs)} ms`;
}

/** What the joins and leaves amount to, in the order of the realm clock. */
function membershipsOf(moves: readonly Move[], userId: string, room: RoomName): Membership[] {
  const own = moves.filter((each) => each.room === room && each.userIds.includes(userId)).sort((a, b) => compareStreamIds(a.id, b.id));
  const memberships: Membership[] = [];
  for (const { id, joined } of own) {
    const last = memberships.at(-1);
    const inside = last?.until === null;
    if (joined && !inside) memberships.push({ room, since: id, until: null });
    if (!joined && inside) last.until = id;
  }
  return memberships;
}

