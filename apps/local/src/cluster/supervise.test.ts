import { eventually } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { supervise, type Running } from './supervise.ts';

interface Life extends Running {
  end(code: number): void;
}

/** A process that exists on paper only. */
function lifeOf(pid: number): Life {
  const { promise: exited, resolve } = Promise.withResolvers<number | null>();
  return { pid, exited, end: resolve, stop: async () => resolve(0) };
}

const silent = { name: 'it', onChange: () => undefined, backoffMs: 1, backoffMaxMs: 4 };

it('starts a process again that ends, also when a start fails in between', async () => {
  const lives: Life[] = [];
  const reports: string[] = [];
  let attempts = 0;
  const launch = async (): Promise<Life> => {
    attempts += 1;
    if (attempts === 2 || attempts === 3) throw new Error('no room');
    const life = lifeOf(attempts);
    lives.push(life);
    return life;
  };
  const kept = await supervise({ ...silent, launch, report: (line) => reports.push(line) });
  lives[0]?.end(3);
  await eventually(() => kept.current()?.pid === 4);
  expect(reports).toEqual([
    'it ended (code 3); starting it again',
    'it could not be started again: no room',
    'it could not be started again: no room',
    'it runs again (process 4)',
  ]);
  await kept.stop(100);
  expect([kept.current(), attempts]).toEqual([null, 4]);
});

it('rejects when the first start fails, and does not try again', async () => {
  let attempts = 0;
  const launch = async (): Promise<Life> => {
    attempts += 1;
    throw new Error('never');
  };
  await expect(supervise({ ...silent, launch, report: () => undefined })).rejects.toThrow('never');
  expect(attempts).toBe(1);
});

it('waits longer and longer for one that keeps dying', async () => {
  const startedAt: number[] = [];
  const launch = async (): Promise<Life> => {
    startedAt.push(performance.now());
    const life = lifeOf(startedAt.length);
    life.end(1);
    return life;
  };
  const kept = await supervise({ ...silent, backoffMs: 40, backoffMaxMs: 5_000, launch, report: () => undefined });
  await eventually(() => startedAt.length === 4);
  await kept.stop(100);
  const gaps = startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0));
  expect(gaps.map((gap, index) => gap >= 40 * 2 ** index - 1)).toEqual([true, true, true]);
});

it('restarts at once when asked, without calling it a death', async () => {
  const reports: string[] = [];
  let pid = 0;
  const launch = async (): Promise<Life> => lifeOf((pid += 1));
  const kept = await supervise({ ...silent, backoffMs: 60_000, launch, report: (line) => reports.push(line) });
  await kept.restart();
  await eventually(() => kept.current()?.pid === 2);
  expect(reports).toEqual(['it runs again (process 2)']);
  await kept.stop(100);
});

it('stops a process that becomes ready after the end was asked for', async () => {
  const { promise: second, resolve } = Promise.withResolvers<Life>();
  const first = lifeOf(1);
  const late = lifeOf(2);
  let calls = 0;
  const kept = await supervise({ ...silent, launch: () => ((calls += 1) === 1 ? Promise.resolve(first) : second), report: () => undefined });
  first.end(1);
  await eventually(() => calls === 2);
  const stopped = kept.stop(1_000);
  resolve(late);
  await stopped;
  expect(await late.exited).toBe(0);
  expect(kept.current()).toBeNull();
});
