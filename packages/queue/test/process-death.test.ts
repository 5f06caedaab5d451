import { keysOf } from '@skirmish/redis';
import { awakeMsOf, eventually, startProcess } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { readDeadCommands } from '../src/index.ts';
import { actOf, openLanes } from './_lanes.ts';
import type { Lanes } from './_lanes.ts';

const start = (lanes: Lanes) =>
  startProcess({
    name: 'lane worker',
    entry: new URL('./_worker-process.ts', import.meta.url),
    env: { REDIS_URL: lanes.redisUrl, REALM: lanes.realm },
  });
/** What the processes stepped: `pid/key/turn/tries`. */
const notesOf = (lanes: Lanes) => lanes.redis.lrange(`${keysOf(lanes.realm).prefix}notes`, 0, -1);
const push = (lanes: Lanes, key: string, turn: number) => lanes.producer.push({ key, kind: 'combat.act', body: actOf(turn) });

describe('a worker process', () => {
  it('killed in a step is followed by another one within 5 s, which steps the command again', async () => {
    await using lanes = await openLanes();
    await using victim = await start(lanes);
    await push(lanes, 'c1', 9500);
    await push(lanes, 'c1', 2);
    await eventually(async () => (await lanes.redis.hget(keysOf(lanes.realm).laneState('combat', 'c1'), 'tries')) === '1', { timeoutMs: 20_000 });
    await using heir = await start(lanes);
    await victim.kill();
    const followed = async () => (await lanes.redis.hget(keysOf(lanes.realm).laneState('combat', 'c1'), 'tries')) === '2';
    expect(await awakeMsOf(() => eventually(followed, { timeoutMs: 20_000 }))).toBeLessThan(5000);
    // Its step goes on for seconds, and nobody waits for that.
    await heir.kill();
  }, 90_000);

  it('that a command kills three times is spared the fourth: dead list, and the lane goes on', async () => {
    await using lanes = await openLanes();
    await push(lanes, 'c1', 666);
    await push(lanes, 'c1', 2);
    for (let deaths = 0; deaths < 3; deaths += 1) {
      await using victim = await start(lanes);
      // Not before it has said that it is ready.
      victim.send({ die: true });
      await eventually(() => !victim.isRunning(), { timeoutMs: 20_000, what: 'death by the command' });
    }
    await using _survivor = await start(lanes);
    const notes = await eventually(async () => {
      const list = await notesOf(lanes);
      return list.length > 0 && list;
    }, { timeoutMs: 20_000 });
    expect(notes && notes.map((note) => note.split('/').slice(1).join('/'))).toEqual(['c1/2/1']);
    const [dead] = await readDeadCommands({ redis: lanes.redis, realm: lanes.realm, queue: 'combat', limit: 5 });
    expect(dead).toMatchObject({ reason: 'process-death', key: 'c1' });
  }, 120_000);

  it('frozen and thawed pops nothing that another one has gone on with', async () => {
    await using lanes = await openLanes();
    await using frozen = await start(lanes);
    await push(lanes, 'c1', 1000);
    await eventually(async () => (await lanes.redis.hget(keysOf(lanes.realm).laneState('combat', 'c1'), 'tries')) === '1', { timeoutMs: 20_000 });
    frozen.pause();
    await using _heir = await start(lanes);
    for (const turn of [2, 3, 4, 5]) await push(lanes, 'c1', turn);
    await eventually(async () => (await notesOf(lanes)).length === 5, { timeoutMs: 20_000 });
    frozen.resume();
    await eventually(async () => (await notesOf(lanes)).some((note) => note.startsWith(`${frozen.pid}/`)), { timeoutMs: 20_000 });
    await push(lanes, 'c1', 6);
    const notes = await eventually(async () => {
      const list = await notesOf(lanes);
      return list.some((note) => note.includes('/6/')) && list;
    }, { timeoutMs: 20_000 });
    // The thawed process repeats the step that it was in, which the step's own unique id makes harmless, and nothing else.
    expect(notes && notes.filter((note) => note.startsWith(`${frozen.pid}/c1/1000`)).length).toBe(1);
    expect(notes && notes.filter((note) => !note.includes('/1000/')).map((note) => note.split('/')[2])).toEqual(['2', '3', '4', '5', '6']);
  }, 120_000);
});
