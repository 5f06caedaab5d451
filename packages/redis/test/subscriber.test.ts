import { eventually, services, startTcpProxy } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { createRedis } from '../src/index.ts';

it('F3: a subscriber that is closed while it subscribes again leaves no rejection unheard', async () => {
  await using proxy = await startTcpProxy({ targetPort: Number(new URL(services().redisUrl).port) });
  const subscriber = createRedis({ url: `redis://127.0.0.1:${proxy.port}`, name: 'test-subscriber', role: 'subscriber' });
  const rejections: unknown[] = [];
  const note = (reason: unknown): void => { rejections.push(reason); };
  process.on('unhandledRejection', note);
  await subscriber.subscribe('channel');
  // ioredis subscribes again just before it says that it is ready, and nobody holds that promise. Its answer never comes.
  subscriber.once('ready', () => {
    proxy.blackhole();
    subscriber.disconnect();
    proxy.reset();
  });
  proxy.reset();
  await eventually(() => subscriber.status === 'end', { what: 'the end of the subscriber' });
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(rejections).toEqual([]);
});

it('a subscriber that is closed tells who asks for a channel', async () => {
  const subscriber = createRedis({ url: services().redisUrl, name: 'test-subscriber', role: 'subscriber' });
  await subscriber.subscribe('channel');
  subscriber.disconnect();
  await eventually(() => subscriber.status === 'end', { what: 'the end of the subscriber' });
  await expect(subscriber.subscribe('other')).rejects.toThrow('Connection is closed');
});
