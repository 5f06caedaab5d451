import { roomOf } from '@skirmish/protocol';
import type { UserId, ZoneId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, startRedis, timePasses } from '@skirmish/testing';
import type { RedisServer } from '@skirmish/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCluster } from './_cluster.ts';
import type { Cluster } from './_cluster.ts';
import type { Player } from './_player.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
const users = ['p1', 'p2', 'p3'] as const;
const outageMs = 10_000;

/** Chat of one player, a message every 200 ms as long as the gateway takes it; what the gateway accepted is remembered. */
function talk(player: Player): { stop(): Promise<string[]> } {
  const accepted: string[] = [];
  const stopping = new AbortController();
  const talking = (async () => {
    for (let n = 1; !stopping.signal.aborted; n += 1) {
      const commandId = `talk-${n}`;
      const answer = await player.send('chat:send', { commandId, channel: { kind: 'zone', id: 'meadow' }, text: `line ${n}` }).catch(() => null);
      if (answer?.ok) accepted.push(answer.data.messageId);
      await timePasses(200, 'the pace of a talker');
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await talking;
      return accepted;
    },
  };
}

describe('three gateways and both workers while Redis is away, under traffic', () => {
  let redis: RedisServer;
  let cluster: Cluster;
  let players: Player[];
  /** How long the start of everything took, which says how slow this machine is now. */
  let startMs = 0;

  beforeEach(async () => {
    const startedAtMs = performance.now();
    redis = await startRedis({ appendOnly: true });
    cluster = await startCluster({ gateways: 3, redis, env: { RENEW_INTERVAL_MS: '1000' } });
    players = await Promise.all(users.map((user, gateway) => cluster.connect(user, gateway, { reconnection: true })));
    startMs = performance.now() - startedAtMs;
  });
  afterEach(async () => {
    await cluster.stop();
    await redis.stop();
  });

  const speaker = (): Player => {
    const [first] = players;
    if (!first) throw new Error('nobody is connected');
    return first;
  };
  const processes = () => [...cluster.gateways.map(({ process }) => process), ...cluster.workers.combat, ...cluster.workers.moderation];
  const output = (): string => processes().map((process) => process.output()).join('\n');

  /** Within 5 s of Redis being back, on a machine that has time: registry, directory, rosters and users are exactly the living, and nobody is deaf. */
  async function expectTruth(): Promise<void> {
    const command = createRedis({ url: redis.url, name: 'e2e-truth', role: 'command' });
    await whenReady(command);
    const keys = keysOf(cluster.realm);
    await eventually(async () => {
      const living = cluster.gateways.map(({ incarnation }) => incarnation).sort();
      expect((await command.hkeys(keys.gateways)).sort()).toEqual(living);
      expect((await command.smembers(keys.room(meadow))).sort()).toEqual(living);
      expect((await command.hkeys(keys.roster('meadow' as ZoneId))).sort()).toEqual(['c1', 'c2', 'c3']);
      for (const user of users) expect(await command.hlen(keys.user(user as UserId))).toBe(1);
    }, { timeoutMs: 5_000 + startMs, what: 'registry, directory and rosters to be true' });
    command.disconnect();
    await cluster.emitter().emit({ rooms: [meadow] }, 'app:heard', { now: Date.now() });
    await eventually(() => players.every(({ received }) => received.some(({ event }) => event === 'app:heard')), { timeoutMs: 10_000, what: 'nobody to be deaf' });
    expect(processes().every((process) => process.isRunning())).toBe(true);
    expect(output()).not.toMatch(/unhandled|transport:condemned/i);
  }

  const heard = (player: Player): string[] => player.of('chat:message').map(({ messageId }) => messageId);

  it('frozen for 10 s: connections stay, and every accepted message arrives once, in one order', async () => {
    const talker = talk(speaker());
    await eventually(() => players.every((player) => heard(player).length > 3));
    redis.pause();
    await timePasses(outageMs, 'the outage');
    redis.resume();
    await expectTruth();
    const accepted = await talker.stop();
    await eventually(() => players.every((player) => accepted.every((id) => heard(player).includes(id))), { timeoutMs: 20_000, what: 'every accepted message' });
    for (const player of players) {
      expect(player.disconnects).toEqual([]);
      expect(heard(player)).toEqual(heard(speaker()));
      expect(new Set(heard(player)).size).toBe(heard(player).length);
    }
  });

  it('killed and back with its data after 10 s: everything is registered, and chat goes on', async () => {
    const talker = talk(speaker());
    await eventually(() => players.every((player) => heard(player).length > 3));
    await redis.kill();
    await timePasses(outageMs, 'the outage');
    await redis.restart();
    await expectTruth();
    const before = Math.max(...players.map((player) => heard(player).length));
    await eventually(() => players.every((player) => heard(player).length > before), { timeoutMs: 20_000, what: 'chat to go on' });
    await talker.stop();
  });

  it('killed and back empty: the data set is new to everybody, players reconnect, and chat goes on', async () => {
    const talker = talk(speaker());
    await eventually(() => players.every((player) => heard(player).length > 3));
    await redis.restart({ empty: true });
    await expectTruth();
    for (const player of players) expect(player.of('session:welcome').length).toBeGreaterThan(1);
    const before = Math.max(...players.map((player) => heard(player).length));
    await eventually(() => players.every((player) => heard(player).length > before), { timeoutMs: 20_000, what: 'chat to go on' });
    await talker.stop();
  });
});
