import { createHmac } from 'node:crypto';
import { eventually, freePort, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';
import { startReceiver } from './_receiver.ts';
import { answered, heard, pendingOf, secret, startSender, writerOf } from './_sender.ts';
import { createTestStream, eventOf } from './_stream.ts';

describe('a webhook', () => {
  it('[BCK8] is a signed POST of the record that any library of Standard Webhooks accepts', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using running = await startSender(stream, receiver.url);
    await writerOf(stream)(eventOf(1));
    await heard(receiver, 'sanction-1');
    const [hook] = receiver.hooks;
    const [record] = await stream.records();
    expect(JSON.parse(hook?.body ?? '')).toEqual(record);
    const signature = createHmac('sha256', secret).update(`${hook?.id}.${hook?.timestamp}.${hook?.body}`).digest('base64');
    expect(hook).toMatchObject({ method: 'POST', id: 'sanction-1', signature: `v1,${signature}` });
    expect(Math.abs(Number(hook?.timestamp) - Date.now() / 1000)).toBeLessThan(30);
    await eventually(async () => (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    expect(await running.figures('webhook_delivered_total')).toEqual({ all: 1 });
  });

  it('[BCK9] is tried again with growing waits until any 2xx, under the same id', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using running = await startSender(stream, receiver.url);
    const answers = [500, 404, 302, 201];
    receiver.answer = (hook, response) => { answered(answers.shift() ?? 204, { location: receiver.url })(hook, response); };
    await writerOf(stream)(eventOf(1));
    await eventually(() => receiver.hooks.length === 4, { timeoutMs: 15_000 });
    await eventually(async () => (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    expect(new Set(receiver.ids())).toEqual(new Set(['sanction-1']));
    expect(receiver.hooks.every(({ method }) => method === 'POST')).toBe(true);
    const [a = 0, b = 0, c = 0, d = 0] = receiver.hooks.map(({ atMs }) => atMs);
    expect(b - a).toBeGreaterThan(39);
    expect(c - b).toBeGreaterThan(79);
    expect(d - c).toBeGreaterThan(159);
    expect(await running.figures('webhook_refused_total')).toEqual({ status: 3 });
  });

  it('is signed anew with the time of each attempt', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using _running = await startSender(stream, receiver.url, { firstDelayMs: 1_500, delayMsMax: 1_500 });
    receiver.answer = (hook, response) => { answered(receiver.hooks.length === 1 ? 500 : 204)(hook, response); };
    await writerOf(stream)(eventOf(1));
    await eventually(() => receiver.hooks.length === 2, { timeoutMs: 15_000 });
    const [first, second] = receiver.hooks;
    expect(Number(second?.timestamp)).toBeGreaterThan(Number(first?.timestamp));
    expect(second?.signature).not.toBe(first?.signature);
  });

  it('has a time limit, also when the answer only trickles or never ends', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using running = await startSender(stream, receiver.url, { timeoutMs: 200 });
    receiver.answer = (_hook, response) => {
      // The second attempt: an accepted answer without an end, which must not hold anything up.
      if (receiver.hooks.length === 2) response.writeHead(200).write('x');
      if (receiver.hooks.length > 2) response.writeHead(204).end();
    };
    await writerOf(stream)(eventOf(1));
    await writerOf(stream)(eventOf(2));
    await eventually(async () => receiver.hooks.length >= 3 && (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    expect(Object.keys(await running.figures('webhook_refused_total'))).toEqual(['time']);
  });

  it('reads a bounded part of an answer', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using _running = await startSender(stream, receiver.url, { timeoutMs: 60_000 });
    let written = 0;
    receiver.answer = (_hook, response) => {
      response.writeHead(200);
      response.on('error', () => undefined);
      const flow = (): void => {
        while (!response.destroyed && written < 64 * 1024 * 1024) {
          written += 16_384;
          if (!response.write(Buffer.alloc(16_384))) {
            response.once('drain', flow);
            return;
          }
        }
      };
      flow();
    };
    await writerOf(stream)(eventOf(1));
    await eventually(async () => receiver.hooks.length === 1 && (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    expect(written).toBeLessThan(32 * 1024 * 1024);
  });

  it('begins with what happens after the first start, and misses nothing of a later pause', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await writerOf(stream)(eventOf('before'));
    {
      await using _running = await startSender(stream, receiver.url);
      await writerOf(stream)(eventOf('first'));
      await heard(receiver, 'sanction-first');
      // What is stopped before it has read the answer sends again.
      await eventually(async () => (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    }
    await writerOf(stream)(eventOf('meanwhile'));
    await using _again = await startSender(stream, receiver.url);
    await heard(receiver, 'sanction-meanwhile');
    expect(receiver.ids()).toEqual(['sanction-first', 'sanction-meanwhile']);
  });
});

describe('an event that is never accepted', () => {
  it('does not hold up the others, and is given up after the last try, remembered and logged without its body', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using running = await startSender(stream, receiver.url, { retryForMs: 4_000 });
    receiver.answer = (hook, response) => { answered(hook.id === 'sanction-bad' ? 500 : 204)(hook, response); };
    await writerOf(stream)(eventOf('bad'));
    for (let n = 0; n < 300; n += 1) await writerOf(stream)(eventOf(n));
    await heard(receiver, 'sanction-299');
    await eventually(async () => (await stream.redis.llen(stream.keys.webhooksDead)) === 1, { timeoutMs: 15_000, what: 'the dead list' });
    await eventually(async () => (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    const [dead] = (await stream.redis.lrange(stream.keys.webhooksDead, 0, -1)).map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(dead).toMatchObject({ v: 1, id: 'sanction-bad', why: 'status', status: 500 });
    expect(dead?.['record']).toContain('number bad');
    const tries = receiver.ids().filter((id) => id === 'sanction-bad').length;
    expect(tries).toBeGreaterThan(1);
    expect(dead?.['tries']).toBe(tries);
    expect(running.logs.filter((line) => line.includes('"webhook-dead"'))).toHaveLength(1);
    expect(running.logs.join('')).not.toContain('number bad');
    expect(running.logs.join('')).not.toContain(secret);
    expect(await running.figures('webhook_dead_total')).toEqual({ status: 1 });
  });

  it('does not make the dead list grow without end; the newest stay', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using _running = await startSender(stream, receiver.url, { retryForMs: 0, deadMax: 5, attemptsMax: 1 });
    receiver.answer = answered(500);
    for (let n = 0; n < 20; n += 1) await writerOf(stream)(eventOf(n));
    await eventually(async () => receiver.hooks.length === 20 && (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    const dead = (await stream.redis.lrange(stream.keys.webhooksDead, 0, -1)).map((text) => (JSON.parse(text) as { id: string }).id);
    expect(dead).toEqual([19, 18, 17, 16, 15].map((n) => `sanction-${n}`));
  });

  it('is given up at once when it is no record', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using running = await startSender(stream, receiver.url);
    for (const record of ['no json', '{}', '{"id":"a.b"}', '{"id":"a\\r\\nx: y"}', 'null']) await stream.redis.xadd(stream.keys.backendEvents, '*', 'type', 'x', 'record', record);
    await stream.redis.xadd(stream.keys.backendEvents, '*', 'other', 'fields');
    await writerOf(stream)(eventOf(1));
    await heard(receiver, 'sanction-1');
    await eventually(async () => (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    expect(receiver.hooks).toHaveLength(1);
    expect(await running.figures('webhook_dead_total')).toEqual({ unreadable: 6 });
  });
});

describe('a receiver', () => {
  it('that is dead costs a bounded number of waiting events and attempts; all arrive when it is back', async () => {
    using stream = await createTestStream();
    const port = await freePort();
    await using running = await startSender(stream, `http://127.0.0.1:${port}/hook`, { waitingMax: 40 });
    for (let n = 0; n < 200; n += 1) await writerOf(stream)(eventOf(n));
    await eventually(async () => (await running.figures('webhooks_waiting'))['all'] === 40, { timeoutMs: 15_000, what: '40 waiting' });
    await timePasses(500, 'nothing more is taken');
    expect(await pendingOf(stream)).toBe(40);
    await using receiver = await startReceiver(port);
    await heard(receiver, ...Array.from({ length: 200 }, (_, n) => `sanction-${n}`));
    await eventually(async () => (await pendingOf(stream)) === 0, { timeoutMs: 15_000 });
    expect(new Set(receiver.ids()).size).toBe(200);
  });

  it('[BCK9] that answers 410 gets no more, from nobody, until the address is another one', async () => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using other = await startReceiver();
    receiver.answer = answered(410);
    {
      await using running = await startSender(stream, receiver.url);
      await using second = await startSender(stream, receiver.url);
      await writerOf(stream)(eventOf(1));
      await eventually(async () => (await stream.redis.get(stream.keys.webhooksDisabled)) !== null, { what: 'the mark' });
      await eventually(() => [...running.logs, ...second.logs].some((line) => line.includes('"webhooks-disabled"')));
      await writerOf(stream)(eventOf(2));
      await timePasses(300, 'both have looked several times');
      expect(receiver.ids()).toEqual(['sanction-1']);
    }
    await using _elsewhere = await startSender(stream, other.url);
    await heard(other, 'sanction-2');
    expect(other.ids()).toEqual(['sanction-2']);
  });

  it.each(['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '[::ffff:127.0.0.1]'])('at the private address %s is never spoken to unless that is allowed', async (host) => {
    using stream = await createTestStream();
    await using receiver = await startReceiver();
    await using running = await startSender(stream, receiver.url.replace('127.0.0.1', host), { retryForMs: 0 }, false);
    await writerOf(stream)(eventOf(1));
    await eventually(async () => (await running.figures('webhook_dead_total'))['address'] === 1, { timeoutMs: 15_000 });
    expect(receiver.hooks).toEqual([]);
  });
});
