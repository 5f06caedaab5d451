import { type PartyId, partyDataBytesMax, roomOf } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, services, startTcpProxy, uniqueRealm } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { createVolatileChannels } from '../src/cluster/volatile-channels.ts';

it('bytes that wait for a slow Redis are bounded: what is more is dropped and counted, and afterwards all is well', async () => {
  const { redisUrl } = services();
  await using proxy = await startTcpProxy({ targetPort: Number(new URL(redisUrl).port) });
  const publisher = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'bytes', role: 'command', commandTimeoutMs: 30_000 });
  const subscriber = createRedis({ url: redisUrl, name: 'bytes-subscriber', role: 'subscriber' });
  await Promise.all([whenReady(publisher), whenReady(subscriber)]);
  const dropped: string[] = [];
  const keys = keysOf(uniqueRealm() as never);
  const channels = createVolatileChannels({ publisher, breaker: { state: 'closed' }, subscriber, keys, onGap: () => undefined, onDropped: (what) => void dropped.push(what) });
  const room = roomOf.party('pt_1' as PartyId);
  const heard: number[] = [];
  channels.follow(room, (body, bytes) => {
    if (bytes?.byteLength === partyDataBytesMax) heard.push((body as { n: number }).n);
  });
  await eventually(async () => (await publisher.pubsub('NUMSUB', keys.volatile(room)))[1] === 1);
  proxy.pause();
  const fitting = (8 * 1024 * 1024) / partyDataBytesMax;
  for (let n = 0; n < fitting + 20; n += 1) channels.publish(room, { n }, Buffer.alloc(partyDataBytesMax, n));
  expect(dropped).toEqual(Array.from({ length: 20 }, () => 'volatile-publish'));
  proxy.heal();
  await eventually(() => heard.length === fitting, { timeoutMs: 10_000 });
  await eventually(() => {
    channels.publish(room, { n: -1 }, Buffer.alloc(partyDataBytesMax));
    return heard.at(-1) === -1;
  });
  expect(heard.slice(0, fitting)).toEqual(Array.from({ length: fitting }, (_, n) => n));
  publisher.disconnect();
  subscriber.disconnect();
});
