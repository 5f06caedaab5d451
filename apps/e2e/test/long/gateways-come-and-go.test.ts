import { fileURLToPath } from 'node:url';
import { roomOf } from '@skirmish/protocol';
import type { ZoneId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually, startProcess } from '@skirmish/testing';
import { expect, it } from 'vitest';
import type { Burst } from '../_bursts.ts';
import { startCluster } from '../_cluster.ts';
import { checkDelivery, checkSameOrder } from '../_delivery-checker.ts';
import type { Delivery } from '../_delivery-checker.ts';
import type { Player } from '../_player.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
const rounds = 8;
const perRound = 500;

const deliveriesOf = (player: Player): Delivery[] =>
  player.received
    .filter(({ event }) => event === 'app:numbered')
    .map(({ payload, position }) => ({ ...(payload as { sender: string; number: number }), ...(position === undefined ? {} : { position }) }));

it('gateways that come, are killed, frozen or stopped under traffic cost the players of the others nothing', async () => {
  await using cluster = await startCluster({ gateways: 2, combatWorkers: 0, moderationWorkers: 0, env: { RENEW_INTERVAL_MS: '500' } });
  const sender = await startProcess({ name: 'worker', entry: fileURLToPath(new URL('../_sending-worker.ts', import.meta.url)), env: cluster.env });
  const members = { p1: await cluster.connect('p1', 0), p2: await cluster.connect('p2', 1) };
  for (let round = 1; round <= rounds; round += 1) {
    const guest = await cluster.addGateway();
    const visitor = await cluster.connect(`p${round + 2}`, cluster.gateways.indexOf(guest));
    sender.send({ type: 'burst', room: meadow, sender: `round-${round}`, count: perRound } satisfies Burst);
    await eventually(() => deliveriesOf(visitor).length > 20, { what: 'traffic at the guest' });
    if (round % 3 === 0) await guest.process.stop();
    else if (round % 3 === 1) await guest.process.kill();
    else guest.process.pause();
    await eventually(() => Object.values(members).every((player) => deliveriesOf(player).length === round * perRound), { timeoutMs: 20_000, what: `round ${round}` });
    if (round % 3 === 2) await guest.process.kill();
    visitor.close();
  }
  const sent = Object.fromEntries(Array.from({ length: rounds }, (_, n) => [`round-${n + 1}`, perRound]));
  for (const player of Object.values(members)) {
    expect(checkDelivery(sent, deliveriesOf(player))).toEqual({ lost: [], doubled: [], swapped: [] });
    expect(player.disconnects).toEqual([]);
  }
  expect(checkSameOrder({ p1: deliveriesOf(members.p1), p2: deliveriesOf(members.p2) })).toEqual([]);
  const redis = cluster.command();
  await eventually(() => redis.status === 'ready');
  const keys = keysOf(cluster.realm);
  await eventually(async () => {
    expect(await redis.hkeys(keys.gateways)).toHaveLength(2);
    expect(await redis.keys(`${keys.prefix}inbox:*`)).toHaveLength(2);
    expect(await redis.scard(keys.room(meadow))).toBe(2);
    expect(await redis.hlen(keys.roster('meadow' as ZoneId))).toBe(2);
  }, { timeoutMs: 15_000, what: 'everything of the gone to be gone' });
  await sender.stop();
}, 180_000);
