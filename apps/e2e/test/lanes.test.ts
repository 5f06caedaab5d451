import { createTestDatabase, eventually, services, startPostgres, startRedis, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { openLaneField } from './_lane-field.ts';

const pushedAheadMax = 1000;
const nothing = { lost: [], doubled: [], swapped: [] };

describe('lanes of several worker processes', () => {
  it('apply 12,000 commands over 200 keys once and in order, done within 10 s of the last, one process killed midway', async () => {
    await using database = await createTestDatabase();
    await using field = await openLaneField({ redisUrl: services().redisUrl, databaseUrl: database.url, fights: 200, workers: 3 });
    const startedAtMs = Date.now();
    for (let turn = 1; turn <= 60; turn += 1) {
      await field.pushRound(turn);
      if (turn === 30) await field.workers[0]?.kill();
      // The time below is that of the lanes and not of the machine: no more is pushed ahead than 5 commands per fight.
      await eventually(async () => (await field.pendingCommands()) <= pushedAheadMax, { timeoutMs: 60_000 });
    }
    const lastPushedAtMs = Date.now();
    await eventually(async () => (await field.pendingLanes()) === 0, { timeoutMs: 60_000, intervalMs: 50 });
    const doneAfterMs = Date.now() - lastPushedAtMs;
    expect(await field.check(60)).toEqual(nothing);
    expect(await field.applied()).toBe(12_000);
    expect(await field.dead()).toEqual([]);
    // No more is waiting at the end than a tenth of all: on a slow machine that may take its share of the whole time.
    expect(doneAfterMs).toBeLessThan(Math.max(10_000, (lastPushedAtMs - startedAtMs) / 3));
  }, 180_000);

  it.each([
    ['lose', 'lost', 20],
    ['double', 'doubled', 20],
    ['swap', 'swapped', 20],
  ] as const)('are checked by something that finds it when a worker is made to %s commands', async (fault, where, count) => {
    await using database = await createTestDatabase();
    await using field = await openLaneField({ redisUrl: services().redisUrl, databaseUrl: database.url, fights: 20, workers: 1, fault });
    for (let turn = 1; turn <= 10; turn += 1) await field.pushRound(turn);
    await eventually(async () => (await field.pendingLanes()) === 0, { timeoutMs: 40_000 });
    expect((await field.check(10))[where]).toHaveLength(count);
  }, 60_000);
});

describe('Postgres away for 10 s', () => {
  it.each(['frozen', 'stopped'] as const)('(%s) sends no command to the dead list, and the lanes go on by themselves', async (how) => {
    await using postgres = await startPostgres({});
    const databaseUrl = await postgres.createDatabase('lanes');
    const startedAtMs = Date.now();
    await using field = await openLaneField({ redisUrl: services().redisUrl, databaseUrl, fights: 40, workers: 2 });
    const rounds = async (first: number, last: number): Promise<void> => {
      for (let turn = first; turn <= last; turn += 1) {
        await field.pushRound(turn);
        await timePasses(200, 'the pace of the players');
      }
    };
    // What this machine needs to start two workers and play five rounds.
    await rounds(1, 5);
    const usualMs = Date.now() - startedAtMs;
    if (how === 'frozen') postgres.pause();
    else await postgres.kill();
    const awaySinceMs = Date.now();
    await rounds(6, 30);
    await timePasses(Math.max(0, 10_000 - (Date.now() - awaySinceMs)), 'the rest of the outage');
    if (how === 'frozen') postgres.resume();
    else await postgres.restart();
    const backAtMs = Date.now();
    await rounds(31, 35);
    await eventually(async () => (await field.pendingLanes()) === 0, { timeoutMs: 60_000 });
    expect(Date.now() - backAtMs).toBeLessThan(Math.max(15_000, 4 * usualMs));
    expect(await field.dead()).toEqual([]);
    expect(await field.check(35)).toEqual(nothing);
    expect(field.workers.every((worker) => worker.isRunning())).toBe(true);
  }, 180_000);
});

describe('a poison command among several workers', () => {
  it('goes to the dead list after 3 tries while its lane goes on', async () => {
    await using database = await createTestDatabase();
    await using field = await openLaneField({ redisUrl: services().redisUrl, databaseUrl: database.url, fights: 5, workers: 2 });
    for (let turn = 1; turn <= 5; turn += 1) await field.pushRound(turn);
    await Promise.all(field.combats.map((combat) => field.pushTurn(combat, 666)));
    for (let turn = 6; turn <= 10; turn += 1) await field.pushRound(turn);
    await eventually(async () => (await field.pendingLanes()) === 0, { timeoutMs: 20_000 });
    expect(await field.check(10)).toEqual(nothing);
    const dead = await field.dead();
    expect(dead.map(({ key }) => key).sort()).toEqual([...field.combats].sort());
    expect(new Set(dead.map(({ tries, reason }) => `${tries} ${reason}`))).toEqual(new Set(['3 rule-error']));
  }, 60_000);
});

describe('Redis restarted with its data under traffic', () => {
  it('goes on by itself: what was accepted is applied once and in order', async () => {
    await using server = await startRedis({ args: ['--appendfsync', 'always'] });
    await using database = await createTestDatabase();
    await using field = await openLaneField({ redisUrl: server.url, databaseUrl: database.url, fights: 40, workers: 2 });
    let turn = 0;
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round += 1) {
        turn += 1;
        // The same command id until it is accepted, as a client does it.
        await Promise.all(field.combats.map((combat) => eventually(() => field.pushTurn(combat, turn), { timeoutMs: 20_000, intervalMs: 100 })));
      }
    };
    await rounds(10);
    const going = rounds(20);
    await eventually(() => turn > 12);
    await server.kill();
    await timePasses(3000, 'the outage');
    await server.restart();
    await going;
    await rounds(5);
    await eventually(async () => (await field.pendingLanes()) === 0, { timeoutMs: 30_000 });
    expect(await field.check(35)).toEqual(nothing);
    expect(await field.dead()).toEqual([]);
    expect(field.workers.every((worker) => worker.isRunning())).toBe(true);
  }, 180_000);
});
