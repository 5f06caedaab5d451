import { createEmitter } from '@skirmish/emitter';
import type { PartyId, RealmId, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, type RealmKeys, whenReady } from '@skirmish/redis';
import { eventually, services, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BareGateway, joinAs, type Player, startBareGateway } from './_bare-gateway.ts';

interface Stays {
  rooms: Record<string, [since: string, until: string][]>;
}

/** What one account can make Redis keep for the resume of its sessions. */
describe('the sessions of one user', () => {
  let redis: Redis;
  let realm: RealmId;
  let keys: RealmKeys;
  let gateway: BareGateway;
  beforeAll(async () => {
    redis = createRedis({ url: services().redisUrl, name: 'session-bounds', role: 'command' });
    await whenReady(redis);
    realm = uniqueRealm() as RealmId;
    keys = keysOf(realm);
    gateway = await startBareGateway(services().redisUrl, realm, { resumeWindowMs: 600_000 });
  });
  afterAll(async () => {
    await gateway.stop();
    redis.disconnect();
  });

  const resumeOf = ({ socket }: Player): { pid: string; offset: string } => {
    const { _pid: pid, _lastOffset: offset } = socket as unknown as { _pid: string; _lastOffset: string };
    return { pid, offset };
  };
  const leave = async (player: Player, userId: UserId, left: number): Promise<void> => {
    player.socket.io.reconnection(false);
    player.socket.io.engine.close();
    await eventually(async () => (await redis.hlen(keys.user(userId))) === left, { what: 'the end of the connection in Redis' });
  };
  const isKept = async (pid: string): Promise<boolean> => (await redis.exists(keys.session(pid))) === 1;

  it('are at most 20: of those that are away the oldest goes, and its client begins anew', async () => {
    const userId = 'many-sessions' as UserId;
    const live = await joinAs(gateway.url, userId);
    // As of a socket whose gateway stands still: nobody prolongs its record.
    await redis.pexpire(keys.session(resumeOf(live).pid), 60_000);
    const away: { pid: string; offset: string }[] = [];
    for (let n = 0; n < 24; n += 1) {
      const player = await joinAs(gateway.url, userId);
      away.push(resumeOf(player));
      await leave(player, userId, 1);
    }
    expect(await redis.scard(keys.sessionsOf(userId))).toBe(20);
    expect(await isKept(resumeOf(live).pid)).toBe(true);
    expect(await Promise.all(away.map(({ pid }) => isKept(pid)))).toEqual(away.map((_, n) => n >= 5));
    const [first, newest] = [await joinAs(gateway.url, userId, [], undefined, away[0]), await joinAs(gateway.url, userId, [], undefined, away.at(-1))];
    expect(first.socket.recovered).toBe(false);
    expect(newest.socket.recovered).toBe(true);
    for (const player of [live, first, newest]) player.close();
  });

  it('remember a bounded number of stays that have ended; a position from before those that are forgotten is not resumed', async () => {
    const userId = 'many-stays' as UserId;
    const mine = roomOf.user(userId);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
    const player = await joinAs(gateway.url, userId);
    const early = resumeOf(player);
    for (let n = 0; n < 450; n += 1) {
      const party = roomOf.party(`stays-${n}` as PartyId);
      await emitter.join({ rooms: [mine] }, [party]);
      await emitter.emit({ rooms: [party] }, 'app:n', { n });
      await emitter.leave({ rooms: [mine] }, [party]);
    }
    await eventually(() => player.received.length === 450);
    const record = async (): Promise<Stays> => JSON.parse((await redis.get(keys.session(early.pid))) ?? '{"rooms":{}}') as Stays;
    const ended = async (): Promise<number> => Object.values((await record()).rooms).flat().filter(([, until]) => until !== '').length;
    await eventually(async () => (await redis.scard(keys.room(roomOf.party('stays-449' as PartyId)))) === 0 && (await record()).rooms[roomOf.party('stays-449' as PartyId)]?.at(-1)?.[1] !== '', { what: 'the last leave in the record' });
    expect(await ended()).toBeLessThanOrEqual(200);
    expect(await ended()).toBeGreaterThanOrEqual(100);

    await leave(player, userId, 0);
    await emitter.emit({ rooms: [mine] }, 'app:n', { n: -1 });
    const back = await joinAs(gateway.url, userId, [], undefined, resumeOf(player));
    expect(back.socket.recovered).toBe(true);
    await eventually(() => back.received.length > 0);
    expect(back.received.map(({ payload }) => payload['n'])).toEqual([-1]);
    await leave(back, userId, 0);
    const late = await joinAs(gateway.url, userId, [], undefined, early);
    expect(late.socket.recovered).toBe(false);
    late.close();
  }, 60_000);
});
