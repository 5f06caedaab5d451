import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { awakeMsOf, eventually } from '@skirmish/testing';
import { afterEach, describe, expect, it } from 'vitest';

interface Line {
  readonly level?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

interface Guarded {
  readonly child: ChildProcess;
  readonly ready: readonly object[];
  lines(): Line[];
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** A start takes 0.3 s on an idle machine, and several on a busy one. */
const startTimeoutMs = 40_000;
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

function forkGuarded(...args: string[]): ChildProcess {
  const child = fork(new URL('_guarded-process.ts', import.meta.url), args, { execArgv: ['--conditions=skirmish-source'], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  running.push(child);
  return child;
}

async function startGuarded(...args: string[]): Promise<Guarded> {
  const child = forkGuarded(...args);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ready: object[] = [];
  child.on('message', (message) => ready.push(message as object));
  const printed = new Promise((resolve) => child.stdout?.once('close', resolve));
  // Not 'close' of the child, which does not come after the channel was closed on this side. The last words may come after the exit.
  const ended = once(child, 'exit').then(async ([code, signal]) => {
    if (child.stdout?.isPaused() === false) await printed;
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  await eventually(() => ready.length === 2, { timeoutMs: startTimeoutMs, what: 'both ready messages' });
  return { child, ready, ended, lines: () => output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : [])) };
}

const messages = (guarded: Guarded): (string | undefined)[] => guarded.lines().map(({ msg }) => msg);

describe('a process with guards', { timeout: 50_000 }, () => {
  it('tells its parent that it is ready, and again when its id changes', async () => {
    const { ready } = await startGuarded();
    expect(ready).toEqual([
      { type: 'ready', role: 'gateway', id: 'first', publicPort: 1, internalPort: expect.any(Number) },
      { type: 'ready', role: 'gateway', id: 'second' },
    ]);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('stops in order with code 0 on %s, not ready before the first step', async (signal) => {
    const guarded = await startGuarded();
    guarded.child.kill(signal);
    expect(await guarded.ended).toEqual({ code: 0, signal: null });
    expect(messages(guarded)).toEqual(['shutdown started', 'readiness at the first step', 'shutdown finished']);
    expect(guarded.lines()[1]).toMatchObject({ ready: false, draining: true, reasons: [`draining: ${signal}`] });
  });

  it('stops in order with code 0 when its parent goes away', async () => {
    const guarded = await startGuarded();
    guarded.child.disconnect();
    expect(await guarded.ended).toEqual({ code: 0, signal: null });
    expect(guarded.lines()[0]).toMatchObject({ msg: 'shutdown started', reason: 'the parent process is gone' });
  });

  it('stops in order with code 0 when its parent went while it was starting', async () => {
    const child = forkGuarded('orphan');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
  });

  it.each([
    ['throw', 'uncaughtException', { type: 'RangeError', message: 'thrown on purpose' }],
    ['reject', 'unhandledRejection', { type: 'TypeError', message: 'rejected on purpose' }],
    ['reject-without-error', 'unhandledRejection', 'only a text'],
  ])('logs what nobody handled and stops in order with code 1 (%s)', async (order, origin, err) => {
    const guarded = await startGuarded();
    guarded.child.send(order);
    expect(await guarded.ended).toEqual({ code: 1, signal: null });
    expect(messages(guarded)).toEqual(['a fault that nobody handled', 'shutdown started', 'readiness at the first step', 'shutdown finished']);
    expect(guarded.lines()[0]).toMatchObject({ level: 'fatal', origin, err });
  });

  it('ends with code 1 when a fault comes during an ordered stop, which goes on', async () => {
    const guarded = await startGuarded();
    guarded.child.send('fault-while-stopping');
    expect(await guarded.ended).toEqual({ code: 1, signal: null });
    expect(messages(guarded).at(-1)).toBe('shutdown finished');
  });

  it('is hurried by a second signal, and still takes every step', async () => {
    const guarded = await startGuarded();
    guarded.child.send('slow-stop');
    await eventually(() => messages(guarded).includes('shutdown started'), { timeoutMs: 15_000 });
    guarded.child.kill('SIGINT');
    guarded.child.kill('SIGTERM');
    expect(await awakeMsOf(() => guarded.ended)).toBeLessThan(5_000);
    expect(await guarded.ended).toEqual({ code: 0, signal: null });
    expect(messages(guarded).filter((message) => message === 'shutdown started')).toHaveLength(1);
    expect(messages(guarded)).toContain('the shutdown is hurried');
    expect(guarded.lines().at(-1)).toMatchObject({ steps: [expect.anything(), expect.anything(), { name: 'slow', outcome: 'timed-out' }] });
  });

  it('is not hurried by one signal and the end of its parent', async () => {
    const guarded = await startGuarded();
    guarded.child.send('slow-stop');
    await eventually(() => messages(guarded).includes('shutdown started'), { timeoutMs: 15_000 });
    guarded.child.send('go on');
    guarded.child.disconnect();
    expect(await guarded.ended).toEqual({ code: 0, signal: null });
    expect(messages(guarded)).not.toContain('the shutdown is hurried');
    expect(guarded.lines().at(-1)).toMatchObject({ steps: [expect.anything(), expect.anything(), { name: 'slow', outcome: 'done' }] });
  });

  it('is gone soon after a fault even when a step hangs', async () => {
    const guarded = await startGuarded('hurried faults');
    guarded.child.send('hang');
    expect(await awakeMsOf(() => guarded.ended)).toBeLessThan(12_000);
    expect(await guarded.ended).toEqual({ code: 1, signal: null });
    expect(guarded.lines().at(-1)).toMatchObject({ level: 'fatal', msg: 'the shutdown did not end within its limits', limitMs: 100 });
  });

  it('can be without them again', async () => {
    const guarded = await startGuarded();
    guarded.child.send('remove');
    await eventually(() => messages(guarded).includes('guards removed'), { timeoutMs: 15_000 });
    guarded.child.kill('SIGTERM');
    expect(await guarded.ended).toEqual({ code: null, signal: 'SIGTERM' });
  });
});

describe('the log of a process', { timeout: 50_000 }, () => {
  it('is complete although the process exits at once', async () => {
    const guarded = await startGuarded();
    guarded.child.send('fill the log');
    expect(await guarded.ended).toEqual({ code: 0, signal: null });
    expect(guarded.lines().map(({ line }) => line)).toEqual(Array.from({ length: 500 }, (_, index) => index));
  });

  it('arrives without waiting for a full buffer', async () => {
    const guarded = await startGuarded();
    guarded.child.send('remove');
    await eventually(() => messages(guarded).includes('guards removed'), { timeoutMs: 15_000 });
  });

  it('neither ends nor holds a process whose log nobody reads any more', async () => {
    const guarded = await startGuarded();
    guarded.child.stdout?.destroy();
    guarded.child.kill('SIGTERM');
    expect(await guarded.ended).toEqual({ code: 0, signal: null });
  });

  it.each(['fill the log', 'fill the log, then stop'])('does not hold a process whose reader stands still (%s)', async (order) => {
    const guarded = await startGuarded();
    guarded.child.stdout?.pause();
    guarded.child.send(order);
    expect(await awakeMsOf(() => guarded.ended)).toBeLessThan(12_000);
    expect(await guarded.ended).toEqual({ code: 0, signal: null });
  });
});
