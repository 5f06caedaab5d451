import { createEmitter, type Emitter } from '@skirmish/emitter';
import type { PartyId, RealmId, RoomName, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { createRedis, type Redis, whenReady } from '@skirmish/redis';
import { eventually, type RedisServer, startRedis, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinAs, type Player, startBareGateway } from './_bare-gateway.ts';

const numbers = (player: Player): number[] => player.received.map(({ payload }) => Number(payload['n']));
const privateIdOf = ({ socket }: Player): string => (socket as unknown as { _pid?: string })._pid ?? '';

describe('F15: a resume reads what it needs and no more', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, name: 'findings-reading', role: 'command' });
    await whenReady(redis);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  const emitterOf = (realm: string): Emitter => createEmitter({ redis, realm: realm as RealmId, epochGraceMs: 0 });
  const party = roomOf.party('f15' as PartyId);
  const fill = async (realm: string, rooms: RoomName[], count: number): Promise<void> => {
    const emitter = emitterOf(realm);
    for (let i = 0; i < count; i += 100) await Promise.all(Array.from({ length: Math.min(100, count - i) }, (_, n) => emitter.emit({ rooms }, 'app:n', { n: i + n + 1 })));
  };
  const rangeCalls = async (): Promise<number> => Number(/cmdstat_xrange:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
  const leave = async (player: Player): Promise<void> => {
    player.socket.io.reconnection(false);
    player.socket.io.engine.close();
    await eventually(() => !player.socket.connected);
  };
  const comeBack = async (player: Player): Promise<void> => {
    const { welcomes } = player;
    // Again, should its connection break on the way, as every client does.
    player.socket.io.reconnection(true);
    player.socket.connect();
    await eventually(() => player.welcomes > welcomes, { timeoutMs: 60_000, what: 'the next welcome' });
  };

  it('in pages, of its own rooms only', async () => {
    const realm = uniqueRealm();
    await using gateway = await startBareGateway(server.url, realm);
    const player = await joinAs(gateway.url, 'f15', [party]);
    await leave(player);
    await fill(realm, [roomOf.party('others' as PartyId)], 4_000);
    await fill(realm, [party], 1_200);
    const before = await rangeCalls();
    await comeBack(player);
    await eventually(() => player.received.length === 1_200);
    // Moves and log of three rooms, a look into the inbox, and 1,200 entries by 20.
    expect((await rangeCalls()) - before).toBeLessThan(16 + 1_200 / 20);
    expect(numbers(player).every((n) => n <= 1_200)).toBe(true);
    player.close();
  });

  it('and beyond its bounds nothing: the client begins anew', async () => {
    const realm = uniqueRealm();
    await using gateway = await startBareGateway(server.url, realm, { resumeEntriesMax: 1_000 });
    const player = await joinAs(gateway.url, 'f15', [party]);
    const pid = privateIdOf(player);
    await leave(player);
    await fill(realm, [party], 5_000);
    const before = await rangeCalls();
    await comeBack(player);
    expect(player.socket.recovered).toBe(false);
    expect(privateIdOf(player)).not.toBe(pid);
    // The first entry beyond the bound says that there are too many.
    expect((await rangeCalls()) - before).toBeLessThan(16 + 1_000 / 20);
    await emitterOf(realm).emit({ rooms: [party] }, 'app:n', { n: -1 });
    await eventually(() => player.received.length > 0);
    expect(numbers(player)).toEqual([-1]);
    player.close();
  });

  it('a position that the client made up reads no log', async () => {
    const realm = uniqueRealm();
    await using gateway = await startBareGateway(server.url, realm);
    const player = await joinAs(gateway.url, 'f15', [party]);
    await fill(realm, [party], 500);
    await eventually(() => player.received.length === 500);
    for (const offset of ['0-0', '1-1', '99999999999999-0']) {
      await leave(player);
      Object.assign(player.socket, { _lastOffset: offset });
      const before = await rangeCalls();
      await comeBack(player);
      expect(player.socket.recovered).toBe(false);
      expect((await rangeCalls()) - before).toBeLessThan(6);
    }
    expect(player.received).toHaveLength(500);
    player.close();
  });

  it('many joins and leaves made meanwhile cost Redis less to follow than they cost to make', async () => {
    const realm = uniqueRealm();
    await using gateway = await startBareGateway(server.url, realm);
    const mine = roomOf.user('f15' as UserId);
    // Time of Redis in scripts, microseconds.
    const scriptsUs = async (): Promise<number> => Number(/cmdstat_evalsha:[^\r]*usec=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
    // Sessions of one user, each with all of it to follow: the best of them is what it costs on a machine that takes no time away.
    const players = await Promise.all(Array.from({ length: 4 }, () => joinAs(gateway.url, 'f15')));
    for (const player of players) await leave(player);
    const emitter = emitterOf(realm);
    const before = await scriptsUs();
    for (let n = 0; n < 240; n += 1) {
      const room = roomOf.party(`f15-${n}` as PartyId);
      await emitter.join({ rooms: [mine] }, [room]);
      await emitter.leave({ rooms: [mine] }, [room]);
    }
    const madeUs = (await scriptsUs()) - before;
    const followedUs: number[] = [];
    for (const player of players) {
      const begun = await scriptsUs();
      await comeBack(player);
      followedUs.push((await scriptsUs()) - begun);
      expect(player.socket.recovered).toBe(true);
      player.close();
    }
    process.stdout.write(`480 joins and leaves: ${madeUs} us to make, ${followedUs.join(', ')} us to follow\n`);
    expect(Math.min(...followedUs)).toBeLessThan(madeUs);
  });

  it('fifty at once take their turns: all are complete, and the process stays awake', async () => {
    const realm = uniqueRealm();
    await using gateway = await startBareGateway(server.url, realm);
    const players = await Promise.all(Array.from({ length: 50 }, (_, i) => joinAs(gateway.url, `f15-${i}`, [party])));
    for (const player of players) await leave(player);
    await fill(realm, [party], 1_000);
    // In time of the processor: where the machine stands still, or gives its time to others, the process is not at fault.
    const cpuMs = (): number => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    };
    let longestMs = 0;
    const begunAtMs = cpuMs();
    let last = begunAtMs;
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, cpuMs() - last);
      last = cpuMs();
    }, 5);
    await Promise.all(players.map(comeBack));
    await eventually(() => players.every(({ received }) => received.length === 1_000), { timeoutMs: 60_000, what: 'all of it at everybody' });
    clearInterval(timer);
    const wholeMs = cpuMs() - begunAtMs;
    process.stdout.write(`fifty resumes: ${Math.round(wholeMs)} ms of CPU, at most ${Math.round(longestMs)} ms of them without a pause\n`);
    expect(players.every(({ socket }) => socket.recovered)).toBe(true);
    // The clients live in this process too; unbounded it stood still for the whole of it.
    expect(longestMs).toBeLessThan(wholeMs / 2);
    for (const player of players) player.close();
  });
});
