import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseBackendRecord } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config } from '../src/index.ts';
import { type Bench, createBench, createWorld, meadow, type World } from './_bench.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

async function recordsOf(bench: Bench): Promise<unknown[]> {
  const entries = await bench.redis.xrange(keysOf(bench.realm).backendEvents, '-', '+');
  return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf('record') + 1] ?? '') as unknown);
}

describe('backends', () => {
  it('[BCK2] [BCK7] hear of a refused message, without its text, and nothing of a delivered one', async () => {
    await using bench = await createBench(world);
    await using _worker = await bench.work();
    await bench.send({ text: 'hello' });
    const messageId = await bench.send({ from: 'auth0|x', text: 'you v1leword' });
    await bench.idle();
    const records = await recordsOf(bench);
    const data = { messageId, channel: meadow, userId: 'auth0|x', code: 'chat/profanity' };
    expect(records).toMatchObject([{ id: `message-refused-${messageId}`, type: 'message.refused', realm: bench.realm, data }]);
    expect(records.map(parseBackendRecord)).toEqual(records);
    expect(JSON.stringify(records)).not.toContain('v1leword');
  });

  it.each(['committed', 'told sender', 'told'])('[BCK2] hear of it once, also from a worker that dies at "%s"', async (place) => {
    await using bench = await createBench(world);
    const fragile = await bench.fragile(place);
    const messageId = await bench.send({ text: 'vileword' });
    await fragile.exited;
    await using _worker = await bench.work();
    await bench.idle();
    expect(await recordsOf(bench)).toMatchObject([{ id: `message-refused-${messageId}` }]);
  });

  it('[BCK8] get it as a webhook where one is configured', async () => {
    await using bench = await createBench(world);
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString())).on('end', () => response.writeHead(204).end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await using _worker = await bench.work({ NODE_ENV: 'development', WEBHOOK_URL: url, WEBHOOK_SECRET: 'a secret of the tests, at least 32 bytes long' });
    await eventually(async () => (await bench.redis.exists(keysOf(bench.realm).backendEvents)) === 1, { what: 'the group of the sender' });
    const messageId = await bench.send({ text: 'vileword' });
    await eventually(() => bodies.length === 1, { timeoutMs: 10_000, what: 'the webhook' });
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ id: `message-refused-${messageId}` });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('the variables of webhooks', () => {
  const good = { NODE_ENV: 'production', REDIS_URL: 'redis://bus', DATABASE_URL: 'postgres://u@db/skirmish' };
  const url = 'https://studio.example/hook';
  const secret = 's'.repeat(32);

  it('may all be missing, or be complete', () => {
    expect(config.parse(good)).toMatchObject({ webhookUrl: undefined, webhookSecret: undefined, webhookPrivateAddresses: false });
    expect(config.parse({ ...good, WEBHOOK_URL: url, WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}` })).toMatchObject({ webhookUrl: url });
    const development = { NODE_ENV: 'development', WEBHOOK_URL: 'http://127.0.0.1:1/', WEBHOOK_SECRET: secret };
    expect(config.parse(development)).toMatchObject({ webhookPrivateAddresses: true });
  });

  it.each<[string, Record<string, string>]>([
    ['belong together', { WEBHOOK_URL: url }],
    ['belong together', { WEBHOOK_SECRET: secret }],
    ['not secure', { WEBHOOK_URL: 'http://studio.example/', WEBHOOK_SECRET: secret }],
    ['user name or a password', { WEBHOOK_URL: 'https://me:word@studio.example/', WEBHOOK_SECRET: secret }],
    ['public internet', { WEBHOOK_URL: 'https://169.254.169.254/', WEBHOOK_SECRET: secret }],
    ['public internet', { WEBHOOK_URL: 'https://[::1]/', WEBHOOK_SECRET: secret }],
    ['WEBHOOK_SECRET has a value that cannot be used', { WEBHOOK_URL: url, WEBHOOK_SECRET: 's'.repeat(31) }],
    ['WEBHOOK_SECRET has a value that cannot be used', { WEBHOOK_URL: url, WEBHOOK_SECRET: `whsec_${Buffer.alloc(31).toString('base64')}` }],
    ['WEBHOOK_URL', { WEBHOOK_URL: 'ftp://studio.example/', WEBHOOK_SECRET: secret }],
  ])('are refused: %s', (sentence, env) => {
    expect(() => config.parse({ ...good, ...env })).toThrow(sentence);
    expect(() => config.parse({ ...good, ...env })).not.toThrow('me:word');
  });
});
