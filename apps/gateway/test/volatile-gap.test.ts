import { type PartyId, roomOf } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, services, startTcpProxy, uniqueRealm } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { createVolatileChannels } from '../src/cluster/volatile-channels.ts';

it('a gap is told when everything that is published from then on is heard, not when the connection is there again', async () => {
  const { redisUrl } = services();
  await using proxy = await startTcpProxy({ targetPort: Number(new URL(redisUrl).port) });
  const publisher = createRedis({ url: redisUrl, name: 'gap', role: 'command' });
  const subscriber = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'gap-subscriber', role: 'subscriber', socketTimeoutMs: 60_000 });
  await Promise.all([whenReady(publisher), whenReady(subscriber)]);
  const keys = keysOf(uniqueRealm() as never);
  const room = roomOf.party('pt_1' as PartyId);
  const heard: unknown[] = [];
  const onGap = (): void => void heard.push('gap');
  const channels = createVolatileChannels({ publisher, breaker: { state: 'closed' }, subscriber, keys, onGap, onDropped: () => undefined });
  channels.follow(room, (body) => void heard.push(body));
  const subscribed = async (count: number): Promise<void> => eventually(async () => { expect((await publisher.pubsub('NUMSUB', keys.volatile(room)))[1]).toBe(count); });
  await subscribed(1);

  for (const round of [1, 2]) {
    // It is ready, and its subscriptions are on their way.
    const ready = new Promise<void>((resolve) => { subscriber.once('ready', () => { proxy.pause(); resolve(); }); });
    proxy.reset();
    await ready;
    await subscribed(0);
    channels.publish(room, { n: -round });
    expect(heard).toEqual(round === 1 ? [] : ['gap', { n: 1 }]);
    proxy.heal();
    await eventually(() => heard.length === 2 * round - 1);
    channels.publish(room, { n: round });
    await eventually(() => { expect(heard).toEqual(round === 1 ? ['gap', { n: 1 }] : ['gap', { n: 1 }, 'gap', { n: 2 }]); });
  }
  publisher.disconnect();
  subscriber.disconnect();
});
