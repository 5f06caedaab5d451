import type { RealmId } from '@skirmish/protocol';
import { createRedis, whenReady } from '@skirmish/redis';
import { awakeMsOf, eventually, startRedis, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';
import { createBackendEventWriter } from '../src/index.ts';
import { startReceiver } from './_receiver.ts';
import { answered, bounds, heard, pendingOf, startSender, writerOf } from './_sender.ts';
import { createTestStream, eventOf } from './_stream.ts';

describe('several senders', () => {
  it('share the work: each event goes out once', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using one = await startSender(stream, receiver.url);
    await using two = await startSender(stream, receiver.url);
    for (let n = 0; n < 400; n += 1) await writerOf(stream)(eventOf(n));
    await eventually(async () => receiver.hooks.length >= 400 && (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    expect(receiver.hooks).toHaveLength(400);
    expect(new Set(receiver.ids()).size).toBe(400);
    const counts = await Promise.all([one, two].map(async (each) => (await each.figures('webhook_delivered_total'))['all'] ?? 0));
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  it('take over what a dead one held, with the count of its tries', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    const gone = createRedis({ url: stream.redis.options.host ? `redis://${stream.redis.options.host}:${stream.redis.options.port}` : '', name: 'gone', role: 'command' });
    await whenReady(gone);
    receiver.answer = answered(500);
    const dying = await startSender({ redis: gone, realm: stream.realm }, receiver.url, { firstDelayMs: 20, delayMsMax: 60_000 });
    await writerOf(stream)(eventOf(1));
    await eventually(async () => ((await dying.figures('webhook_refused_total'))['status'] ?? 0) >= 4, { timeoutMs: 15_000 });
    // Without its connection it can neither keep what it holds nor hand it over.
    gone.disconnect();
    receiver.answer = answered(204);
    await using running = await startSender(stream, receiver.url, { claimAfterMs: 600 });
    const delivered = await eventually(() => running.logs.find((line) => line.includes('"webhook-delivered"')) ?? null, { timeoutMs: 10_000, what: 'the takeover' });
    expect((JSON.parse(delivered ?? '{}') as { tries: number }).tries).toBeGreaterThanOrEqual(5);
    await dying.sender.stop();
  });

  it('take over at once what one left that was stopped', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    receiver.answer = answered(500);
    const slow = { firstDelayMs: 60_000, delayMsMax: 60_000, claimAfterMs: 20_000 };
    const first = await startSender(stream, receiver.url, slow);
    await writerOf(stream)(eventOf(1));
    await eventually(async () => (await first.figures('webhook_refused_total'))['status'] === 1, { timeoutMs: 15_000 });
    await first.sender.stop();
    receiver.answer = answered(204);
    await using _second = await startSender(stream, receiver.url, slow);
    await eventually(() => receiver.hooks.length === 2, { timeoutMs: 15_000, what: 'the takeover' });
  });

  it('leave to a living one what waits for its next try', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    receiver.answer = answered(500);
    const slow = { firstDelayMs: 60_000, delayMsMax: 60_000, claimAfterMs: 1_500 };
    await using _one = await startSender(stream, receiver.url, slow);
    await using _two = await startSender(stream, receiver.url, slow);
    await writerOf(stream)(eventOf(1));
    await eventually(() => receiver.hooks.length === 1, { timeoutMs: 15_000 });
    await timePasses(3_000, 'twice the time after which a dead one is taken over');
    expect(receiver.hooks).toHaveLength(1);
  });

  it('that are stopped in the middle of an attempt end at once, and the event comes again', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    const first = await startSender(stream, receiver.url, { timeoutMs: 60_000 });
    receiver.answer = () => undefined;
    await writerOf(stream)(eventOf(1));
    await eventually(() => receiver.hooks.length === 1, { timeoutMs: 15_000 });
    expect(await awakeMsOf(() => first.sender.stop())).toBeLessThan(2_000);
    receiver.answer = answered(204);
    await using _second = await startSender(stream, receiver.url);
    await heard(receiver, 'sanction-1');
    await eventually(async () => receiver.hooks.length === 2 && (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
  });
});

describe('Redis', () => {
  it('may be killed, come back empty, or freeze: webhooks go on by themselves', async () => {
    await using redis = await startRedis();
    const connection = createRedis({ url: redis.url, name: 'webhooks', role: 'command', commandTimeoutMs: 300 });
    await whenReady(connection);
    const realm = 'main' as RealmId;
    const stream = { redis: connection, realm };
    const { write } = createBackendEventWriter({ ...stream, ...bounds });
    await using receiver = await startReceiver();
    const running = await startSender(stream, receiver.url);
    await write(eventOf(1));
    await heard(receiver, 'sanction-1');
    await redis.restart({ empty: true });
    await eventually(() => write(eventOf(2)), { timeoutMs: 10_000 });
    await heard(receiver, 'sanction-2');
    redis.pause();
    await timePasses(800, 'Redis is silent');
    redis.resume();
    await eventually(() => write(eventOf(3)), { timeoutMs: 10_000 });
    await heard(receiver, 'sanction-3');
    expect(receiver.ids().filter((id) => id === 'sanction-3')).toHaveLength(1);
    await running.sender.stop();
    connection.disconnect();
  });
});
