import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, startProcess } from '@skirmish/testing';
import { config, createModerationWorker } from '../src/index.ts';
import { type Bench, createBench, createWorld, type World } from './_bench.ts';

const entry = new URL('../src/main.ts', import.meta.url);
let world: World;
let bench: Bench;

beforeAll(async () => {
  world = await createWorld();
  bench = await createBench(world);
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

describe('a moderation worker as a process', () => {
  it('says when it is ready, answers the platform, and ends in order on SIGTERM', async () => {
    await using worker = await startProcess({ name: 'moderation worker', entry, env: bench.env });
    expect(worker.ready).toMatchObject({ role: 'moderation-worker', id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const base = `http://127.0.0.1:${worker.ready.internalPort}`;
    for (const path of ['/healthz', '/readyz']) expect((await fetch(base + path)).status).toBe(200);
    const metrics = await (await fetch(`${base}/metrics`)).text();
    expect(metrics).toContain('process="moderation-worker"');
    expect(metrics).toContain('skirmish_');
    expect(await worker.stop()).toBe(0);
  });

  it('names every mistake of its configuration and exits with 2', async () => {
    const started = startProcess({ name: 'moderation worker', entry, env: { NODE_ENV: 'test', CONCURRENCY: 'many' } });
    await expect(started).rejects.toThrow(/code 2[^]*CONCURRENCY[^]*/);
    await expect(started).rejects.toThrow(/DATABASE_URL/);
  });

  it('does not start beside tables of an older release, and leaves nothing open', async () => {
    const env = { ...bench.env, DATABASE_URL: new URL('/postgres', world.url).href };
    await expect(createModerationWorker(config.parse(env))).rejects.toThrow(/lacks the migrations 0001/);
  });

  it('does not start when its port is taken', async () => {
    const port = String(await freePort());
    await using _worker = await bench.work({ INTERNAL_PORT: port });
    await expect(bench.work({ INTERNAL_PORT: port })).rejects.toThrow(/EADDRINUSE/);
  });
});
