import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';
import { logLines } from './_log-lines.ts';
import { createShutdown } from './create-shutdown.ts';

describe('createShutdown', () => {
  it('runs the steps one after the other, in the order of registration', async () => {
    const shutdown = createShutdown(logLines());
    const order: string[] = [];
    shutdown.step('first', 1_000, async () => {
      order.push('first begins');
      await new Promise((resolve) => setImmediate(resolve));
      order.push('first ends');
    });
    shutdown.step('second', 1_000, () => order.push('second'));
    const report = await shutdown.run('SIGTERM');
    expect(order).toEqual(['first begins', 'first ends', 'second']);
    expect(report).toEqual({
      reason: 'SIGTERM',
      durationMs: expect.any(Number),
      steps: [
        { name: 'first', outcome: 'done', durationMs: expect.any(Number) },
        { name: 'second', outcome: 'done', durationMs: expect.any(Number) },
      ],
    });
  });

  it('goes on after a step that throws or rejects, and says so', async () => {
    const { logger, lines } = logLines();
    const shutdown = createShutdown({ logger });
    shutdown.step('throws', 1_000, () => {
      throw new Error('thrown');
    });
    shutdown.step('rejects', 1_000, () => Promise.reject(new Error('rejected')));
    shutdown.step('last', 1_000, () => undefined);
    const { steps } = await shutdown.run('SIGTERM');
    expect(steps.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'done']);
    const failures = lines().filter(({ msg }) => msg === 'a shutdown step failed');
    expect(failures).toMatchObject([{ step: 'throws', err: { message: 'thrown' } }, { step: 'rejects', err: { message: 'rejected' } }]);
  });

  it('leaves a step at its limit, tells it so and goes on', async () => {
    const { logger, lines } = logLines();
    const shutdown = createShutdown({ logger });
    let given: AbortSignal | undefined;
    shutdown.step('stuck', 20, (signal) => {
      given = signal;
      return new Promise(() => undefined);
    });
    shutdown.step('last', 1_000, () => undefined);
    const { steps } = await shutdown.run('SIGTERM');
    expect(steps.map(({ outcome }) => outcome)).toEqual(['timed-out', 'done']);
    expect(given?.aborted).toBe(true);
    expect(lines()).toContainEqual(expect.objectContaining({ level: 'error', step: 'stuck', timeoutMs: 20 }));
  });

  it('does not abort a step that ended in time', async () => {
    const shutdown = createShutdown(logLines());
    let given: AbortSignal | undefined;
    shutdown.step('quick', 10, (signal) => void (given = signal));
    shutdown.step('longer', 40, () => new Promise(() => undefined));
    await shutdown.run('SIGTERM');
    expect(given?.aborted).toBe(false);
  });

  it('survives the late failure of a step that it left', async () => {
    const { logger, lines } = logLines();
    const shutdown = createShutdown({ logger });
    shutdown.step('late', 5, () => new Promise((_, reject) => setTimeout(() => reject(new Error('too late')), 20)));
    await shutdown.run('SIGTERM');
    await eventually(() => {
      expect(lines()).toContainEqual(expect.objectContaining({ msg: 'a shutdown step failed', step: 'late' }));
    });
  });

  it('runs once, whoever asks', async () => {
    const shutdown = createShutdown(logLines());
    let runs = 0;
    shutdown.step('count', 1_000, () => (runs += 1));
    const [first, second] = await Promise.all([shutdown.run('SIGTERM'), shutdown.run('SIGINT')]);
    expect(runs).toBe(1);
    expect(second).toBe(first);
    expect((await shutdown.run('again')).reason).toBe('SIGTERM');
  });

  it('runs a step that is added meanwhile after the others', async () => {
    const shutdown = createShutdown(logLines());
    const order: string[] = [];
    shutdown.step('first', 1_000, () => {
      shutdown.step('added', 1_000, () => order.push('added'));
      order.push('first');
    });
    shutdown.step('second', 1_000, () => order.push('second'));
    const { steps } = await shutdown.run('SIGTERM');
    expect(order).toEqual(['first', 'second', 'added']);
    expect(steps).toHaveLength(3);
  });

  it('runs a step that is added after the end at once', async () => {
    const shutdown = createShutdown(logLines());
    await shutdown.run('SIGTERM');
    let stopped = false;
    shutdown.step('late', 1_000, () => (stopped = true));
    await eventually(() => stopped);
  });

  it('knows the longest time that it can take', () => {
    const shutdown = createShutdown(logLines());
    expect(shutdown.timeoutMs()).toBe(0);
    shutdown.step('a', 1_000, () => undefined);
    shutdown.step('b', 250, () => undefined);
    expect(shutdown.timeoutMs()).toBe(1_250);
  });

  it('in a hurry tells the step that runs, gives every step 200 ms, and leaves none out', async () => {
    const shutdown = createShutdown(logLines());
    let told = false;
    let last = false;
    shutdown.step('spread', 60_000, (signal) => new Promise<void>((resolve) => { signal.addEventListener('abort', () => { told = true; resolve(); }); }));
    shutdown.step('stuck', 60_000, () => new Promise(() => undefined));
    shutdown.step('last', 60_000, () => { last = true; });
    shutdown.hurry();
    const running = shutdown.run('SIGTERM');
    shutdown.hurry();
    const { steps, durationMs } = await running;
    expect(steps.map(({ outcome }) => outcome)).toEqual(['done', 'timed-out', 'done']);
    expect({ told, last }).toEqual({ told: true, last: true });
    expect(durationMs).toBeLessThan(30_000);
  });

  it('logs its begin with the names of the steps and its end with their durations', async () => {
    const { logger, lines } = logLines();
    const shutdown = createShutdown({ logger });
    shutdown.step('only', 1_000, () => undefined);
    await shutdown.run('SIGINT');
    expect(lines()).toMatchObject([
      { msg: 'shutdown started', reason: 'SIGINT', steps: ['only'] },
      { msg: 'shutdown finished', reason: 'SIGINT', steps: [{ name: 'only', outcome: 'done' }] },
    ]);
  });
});
