import { createEmitter } from '@skirmish/emitter';
import type { CombatId, RealmId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import type { RedisServer } from '@skirmish/testing';
import { awakeMsOf, eventually, startRedis, uniqueRealm } from '@skirmish/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BareGateway, Player } from './_bare-gateway.ts';
import { joinAs, startBareGateway } from './_bare-gateway.ts';

const room = roomOf.combat('outage' as CombatId);
const zone = 'meadow' as ZoneId;

describe('outages of Redis under traffic', () => {
  let server: RedisServer;
  let realm: RealmId;
  let gateways: BareGateway[];
  let players: Player[];
  const rejections: unknown[] = [];
  const note = (error: unknown): void => { rejections.push(error); };

  beforeEach(async () => {
    process.on('unhandledRejection', note);
    server = await startRedis({ appendOnly: true });
    realm = uniqueRealm() as RealmId;
    gateways = await Promise.all([1, 2, 3].map(() => startBareGateway(server.url, realm, { renewIntervalMs: 1000, epochGraceMs: 500 })));
    players = await Promise.all(gateways.map((gateway, i) => joinAs(gateway.url, `outage-${i}`, [room], zone)));
  });
  afterEach(async () => {
    for (const player of players) player.close();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await server.stop();
    process.off('unhandledRejection', note);
    expect(rejections).toEqual([]);
  });

  /** Numbered emissions of a worker until stopped; answers how many Redis has accepted. */
  const traffic = () => {
    const redis = createRedis({ url: server.url, name: 'traffic', role: 'command' });
    const emitter = createEmitter({ redis, realm, epochGraceMs: 500, retryForMs: 60_000 });
    const stopping = new AbortController();
    let accepted = 0;
    const run = (async () => {
      await whenReady(redis);
      while (!stopping.signal.aborted) {
        await emitter.emit({ rooms: [room] }, 'app:numbered', { n: accepted });
        accepted += 1;
        await new Promise((resolve) => { setImmediate(resolve); });
      }
    })();
    return {
      stop: async () => {
        stopping.abort();
        await run;
        redis.disconnect();
        return accepted;
      },
    };
  };

  /** Everybody hears a fresh event, registry and directory hold exactly the living, rosters and populations are right. */
  const expectTrue = async (): Promise<void> => {
    const redis = createRedis({ url: server.url, name: 'checker', role: 'command' });
    await whenReady(redis);
    const keys = keysOf(realm);
    const living = gateways.map((gateway) => gateway.transport.incarnation()).sort();
    const tookMs = await awakeMsOf(() => eventually(async () => {
      expect((await redis.hkeys(keys.gateways)).sort()).toEqual(living);
      expect((await redis.smembers(keys.room(room))).sort()).toEqual(living);
      expect(await redis.hlen(keys.roster(zone))).toBe(players.length);
      for (const [i] of players.entries()) expect(await redis.hlen(keys.user(`outage-${i}` as never))).toBe(1);
    }, { timeoutMs: 30_000, what: 'registry, directory and rosters to be right' }));
    expect(tookMs).toBeLessThan(5_000);
    const emitter = createEmitter({ redis, realm, epochGraceMs: 500 });
    await emitter.emit({ rooms: [room] }, 'app:heard', {});
    await eventually(() => players.every(({ received }) => received.some(({ event }) => event === 'app:heard')), { timeoutMs: 10_000, what: 'nobody to be deaf' });
    redis.disconnect();
  };

  const condemned = (): number => gateways.flatMap(({ logs }) => logs.filter((line) => line.includes('transport:condemned'))).length;

  it('stopped for 10 s: sockets stay connected, nothing accepted is lost, nobody is condemned', async () => {
    const flow = traffic();
    await eventually(() => players.every(({ received }) => received.length > 50), { timeoutMs: 20_000 });
    server.pause();
    const pausedAt = performance.now();
    await eventually(() => performance.now() - pausedAt > 10_000, { timeoutMs: 30_000 });
    server.resume();
    const before = players[0]?.received.length ?? 0;
    await eventually(() => (players[0]?.received.length ?? 0) > before + 50, { timeoutMs: 20_000 });
    const accepted = await flow.stop();
    await expectTrue();
    expect(condemned()).toBe(0);
    for (const { received, disconnects } of players) {
      expect(disconnects).toEqual([]);
      const numbers = received.filter(({ event }) => event === 'app:numbered').map(({ payload }) => payload['n']);
      expect(numbers).toEqual(Array.from({ length: accepted }, (_, n) => n));
    }
  }, 60_000);

  it('killed and back with its data after 10 s: registered again within 5 s, nobody condemned, nobody deaf', async () => {
    const flow = traffic();
    await eventually(() => players.every(({ received }) => received.length > 50), { timeoutMs: 20_000 });
    await server.kill();
    const killedAt = performance.now();
    await eventually(() => performance.now() - killedAt > 10_000, { timeoutMs: 30_000 });
    await server.restart();
    await expectTrue();
    expect(condemned()).toBe(0);
    await flow.stop();
  }, 60_000);

  it('killed and back empty: the data set is noticed as new, everybody registers again, clients reconnect', async () => {
    const flow = traffic();
    await eventually(() => players.every(({ received }) => received.length > 50), { timeoutMs: 20_000 });
    await server.restart({ empty: true });
    await expectTrue();
    expect(condemned()).toBe(0);
    for (const { welcomes } of players) expect(welcomes).toBeGreaterThan(1);
    await flow.stop();
  }, 60_000);
});
