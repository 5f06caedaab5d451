import { createEmitter } from '@skirmish/emitter';
import type { RealmId, RoomName, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { compareStreamIds, createRedis, type Redis } from '@skirmish/redis';
import { eventually, services, uniqueRealm } from '@skirmish/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BareGateway, joinAs, type Player, startBareGateway } from './_bare-gateway.ts';

const { redisUrl } = services();
const user = 'traveller' as UserId;
const own = roomOf.user(user);
const parties = ['party:a', 'party:b', 'party:c'] as RoomName[];

type Step =
  | { do: 'emit'; rooms: RoomName[]; except: RoomName[]; count: number }
  | { do: 'join' | 'leave'; room: RoomName; via: RoomName }
  /** The transport breaks; `away` steps happen before the client comes back, to gateway `to`. */
  | { do: 'drop'; to: number; away: Step[]; when: 'now' | 'during' };

const room = fc.constantFrom(own, ...parties);
const quiet: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('emit' as const), rooms: fc.uniqueArray(room, { minLength: 1, maxLength: 2 }), except: fc.uniqueArray(fc.constantFrom(...parties), { maxLength: 1 }), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('join' as const, 'leave' as const), room: fc.constantFrom(...parties), via: room }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: quiet },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), to: fc.nat(1), away: fc.array(quiet, { maxLength: 4 }), when: fc.constantFrom('now' as const, 'during' as const) }) },
);

/** What was emitted and who was where, by the ids of the realm clock. */
interface Truth {
  emitted: { id: string; n: number; rooms: RoomName[]; except: RoomName[] }[];
  moves: { id: string; room: RoomName; via: RoomName; joined: boolean }[];
}

/** The numbers that a member hears, in order. */
function heardBy({ emitted, moves }: Truth): number[] {
  const inside = new Set<string>([own]);
  const all = [...emitted, ...moves].sort((x, y) => compareStreamIds(x.id, y.id));
  const heard: number[] = [];
  for (const each of all) {
    if ('n' in each) {
      if (each.rooms.some((name) => inside.has(name)) && !each.except.some((name) => inside.has(name))) heard.push(each.n);
    } else if (inside.has(each.via)) {
      if (each.joined) inside.add(each.room);
      else inside.delete(each.room);
    }
  }
  return heard;
}

describe('resume, by random histories', () => {
  let redis: Redis;
  const realm = uniqueRealm();
  let gateways: BareGateway[];

  beforeAll(async () => {
    redis = createRedis({ url: redisUrl, name: 'test', role: 'command' });
    gateways = await Promise.all([startBareGateway(redisUrl, realm), startBareGateway(redisUrl, realm)]);
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    redis.disconnect();
  });

  async function play(steps: readonly Step[]): Promise<void> {
    const emitter = createEmitter({ redis, realm: realm as RealmId, epochGraceMs: 0 });
    const truth: Truth = { emitted: [], moves: [] };
    let n = 0;
    const player = await joinAs(gateways[0]?.url ?? '', user);
    const { io } = player.socket;
    io.reconnectionDelay(1);
    io.reconnectionDelayMax(5);
    const quietly = async (each: Step): Promise<void> => {
      if (each.do === 'emit') {
        for (let i = 0; i < each.count; i += 1) {
          const mine = n++;
          const { id } = await emitter.emit({ rooms: each.rooms, except: each.except }, 'app:n', { n: mine });
          truth.emitted.push({ id, n: mine, rooms: each.rooms, except: each.except });
        }
      } else if (each.do !== 'drop') {
        const { id } = await emitter[each.do]({ rooms: [each.via] }, [each.room]);
        truth.moves.push({ id, room: each.room, via: each.via, joined: each.do === 'join' });
      }
    };
    const drop = async ({ to, away, when }: Extract<Step, { do: 'drop' }>): Promise<void> => {
      const welcomes = player.welcomes;
      (io as unknown as { uri: string }).uri = new URL(gateways[to]?.url ?? '').origin;
      if (when === 'now') {
        io.reconnection(false);
        io.engine.close();
        for (const each of away) await quietly(each);
        io.reconnection(true);
        player.socket.connect();
      } else {
        io.engine.close();
        for (const each of away) await quietly(each);
      }
      await eventually(() => player.welcomes > welcomes, { timeoutMs: 10_000, what: 'the next welcome' });
      if (!player.socket.recovered) throw new Error('not recovered');
    };
    for (const each of steps) await (each.do === 'drop' ? drop(each) : quietly(each));
    const { id } = await emitter.emit({ rooms: [own] }, 'app:n', { n: -1 });
    truth.emitted.push({ id, n: -1, rooms: [own], except: [] });
    await finished(player);
    const seen = player.received.map(({ payload }) => payload['n']);
    player.close();
    expect(seen).toEqual(heardBy(truth));
  }

  async function finished(player: Player): Promise<void> {
    await eventually(() => player.received.some(({ payload }) => payload['n'] === -1), { timeoutMs: 10_000, what: 'the last event' });
  }

  it('hears exactly what its rooms were told while it was in them, on whatever gateway, however often it is dropped', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), play), { numRuns: Number(process.env['HISTORIES'] ?? 60), endOnFailure: true });
  }, 600_000);
});
