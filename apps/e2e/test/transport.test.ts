import { fileURLToPath } from 'node:url';
import { roomOf } from '@skirmish/protocol';
import type { UserId, ZoneId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually, startProcess } from '@skirmish/testing';
import type { ManagedProcess } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Burst } from './_bursts.ts';
import { startCluster } from './_cluster.ts';
import type { Cluster } from './_cluster.ts';
import { checkDelivery, checkSameOrder } from './_delivery-checker.ts';
import type { Delivery } from './_delivery-checker.ts';
import type { Player } from './_player.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const deliveriesOf = (player: Player): Delivery[] =>
  player.received
    .filter(({ event }) => event === 'app:numbered')
    .map(({ payload, position }) => ({ ...(payload as { sender: string; number: number }), ...(position === undefined ? {} : { position }) }));

describe('critical events over three gateways and two workers', () => {
  let cluster: Cluster;
  const senders: Record<string, ManagedProcess> = {};
  const members: Record<string, Player> = {};

  beforeAll(async () => {
    cluster = await startCluster({ gateways: 1, combatWorkers: 0, moderationWorkers: 0 });
    const start = (name: string, entry: string) => startProcess({ name, entry: here(entry), env: cluster.env });
    const [gatewayB, gatewayC, workerA, workerB] = await Promise.all([
      start('gateway-b', '_sending-gateway.ts'),
      start('gateway-c', '_sending-gateway.ts'),
      start('worker-a', '_sending-worker.ts'),
      start('worker-b', '_sending-worker.ts'),
    ]);
    Object.assign(senders, { gatewayB, gatewayC, workerA, workerB });
    for (const process of [gatewayB, gatewayC]) {
      const url = `http://127.0.0.1:${process.ready.publicPort ?? 0}`;
      cluster.gateways.push({ url, internalUrl: url, incarnation: process.ready.id, process });
    }
    const joined = await Promise.all([0, 0, 1, 1, 2, 2].map((gateway, i) => cluster.connect(`p${i + 1}`, gateway)));
    for (const [i, player] of joined.entries()) members[`p${i + 1}`] = player;
  });
  afterAll(async () => {
    for (const player of Object.values(members)) player.close();
    await Promise.all(Object.values(senders).map((process) => process.stop()));
    await cluster.stop();
  });

  it('4 senders emit 1,000 events each: every member gets all 4,000 once, in one order, at growing positions', async () => {
    for (const [sender, process] of Object.entries(senders)) process.send({ type: 'burst', room: meadow, sender, count: 1000 } satisfies Burst);
    await eventually(() => Object.values(members).every((player) => deliveriesOf(player).length >= 4000), { timeoutMs: 40_000, what: '4,000 events for everybody' });
    const sent = Object.fromEntries(Object.keys(senders).map((sender) => [sender, 1000]));
    const received = Object.fromEntries(Object.entries(members).map(([name, player]) => [name, deliveriesOf(player)]));
    for (const deliveries of Object.values(received)) {
      expect(checkDelivery(sent, deliveries)).toEqual({ lost: [], doubled: [], swapped: [] });
      expect(deliveries).toHaveLength(4000);
    }
    expect(checkSameOrder(received)).toEqual([]);
  });

  it('a gateway without members of a busy room reads none of its entries', async () => {
    const gateway = await cluster.addGateway();
    const entries = async (): Promise<number> => {
      const metrics = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
      return Number(/skirmish_inbox_entries_total\{[^}]*\} (\d+)/.exec(metrics)?.[1] ?? 0);
    };
    const before = await entries();
    senders['workerA']?.send({ type: 'burst', room: meadow, sender: 'foreign', count: 300 } satisfies Burst);
    await eventually(() => Object.values(members).every((player) => deliveriesOf(player).filter(({ sender }) => sender === 'foreign').length === 300), { timeoutMs: 20_000 });
    expect(await entries()).toBe(before);
    const redis = cluster.command();
    await eventually(() => redis.status === 'ready');
    const inbox = await redis.xrange(keysOf(cluster.realm).inbox(gateway.incarnation as never), '-', '+');
    expect(inbox.filter(([, fields]) => fields[fields.indexOf('type') + 1] !== '0')).toEqual([]);
    await gateway.process.stop();
  });
});

describe('a gateway that freezes', () => {
  it('is condemned, everything of it goes, and after it wakes its clients are sent to reconnect and hear everything new', async () => {
    await using cluster = await startCluster({ gateways: 2, combatWorkers: 0, moderationWorkers: 0, env: { RENEW_INTERVAL_MS: '700' } });
    const [frozen] = cluster.gateways;
    if (!frozen) throw new Error('no gateway');
    const redis = cluster.command();
    await eventually(() => redis.status === 'ready');
    const keys = keysOf(cluster.realm);
    const player = await cluster.connect('p1', 0, { reconnection: true });
    const witness = await cluster.connect('p2', 1);
    const before = frozen.incarnation;
    frozen.process.pause();
    await eventually(async () => !(await redis.hexists(keys.gateways, before)), { timeoutMs: 10_000, what: 'the frozen gateway to be condemned' });
    await eventually(async () => (await redis.exists(keys.inbox(before as never), keys.roomsOf(before as never), keys.socketsOf(before as never), keys.user('p1' as UserId))) === 0);
    expect(await redis.hkeys(keys.roster('meadow' as ZoneId))).toEqual(['c2']);
    frozen.process.resume();
    await eventually(() => frozen.incarnation !== before && player.of('session:welcome').length === 2, { timeoutMs: 15_000, what: 'a new incarnation and a reconnect' });
    await cluster.emitter().emit({ rooms: [meadow] }, 'app:numbered', { sender: 'after', number: 1 });
    await eventually(() => [player, witness].every((member) => deliveriesOf(member).length === 1));
    expect(await redis.hkeys(keys.gateways)).toHaveLength(2);
  });

  it('a gateway that is killed is gone from every answer, and one that stops in order leaves nothing behind', async () => {
    await using cluster = await startCluster({ gateways: 3, combatWorkers: 0, moderationWorkers: 0, env: { RENEW_INTERVAL_MS: '700' } });
    const redis = cluster.command();
    await eventually(() => redis.status === 'ready');
    const keys = keysOf(cluster.realm);
    await cluster.connect('p1', 0);
    await cluster.connect('p2', 1);
    await cluster.connect('p3', 2);
    await cluster.gateways[1]?.process.stop();
    expect(await redis.hkeys(keys.gateways)).toHaveLength(2);
    await eventually(async () => (await redis.hkeys(keys.roster('meadow' as ZoneId))).length === 2, { what: 'the stopped one to be gone' });
    expect(cluster.gateways.map(({ process }) => process.output()).join('\n'), 'by itself').not.toMatch(/was condemned/);
    await cluster.gateways[0]?.process.kill();
    await eventually(async () => (await redis.hkeys(keys.gateways)).length === 1, { timeoutMs: 10_000, what: 'the killed one to be condemned' });
    await eventually(async () => {
      expect(await redis.hkeys(keys.roster('meadow' as ZoneId))).toEqual(['c3']);
      expect(await redis.smembers(keys.room(meadow))).toEqual([cluster.gateways[2]?.incarnation]);
      expect(await redis.keys(`${keys.prefix}inbox:*`)).toHaveLength(1);
      expect(await redis.keys(`${keys.prefix}user:*`)).toHaveLength(1);
      expect(await redis.scard(keys.condemned)).toBe(0);
    });
  });
});
