import { execFile } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '@skirmish/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { watchLoopDelay } from './loop-delay.ts';
import { createMemoryUse } from './memory-use.ts';
import { Pressure } from './pressure.ts';

const pressing = () => {
  const figures = { heap: 0.5, container: null as number | null, delayMs: 1, nowMs: 1_000, memoryLooks: 0 };
  const told: string[] = [];
  const pressure = new Pressure({
    memory: () => {
      figures.memoryLooks += 1;
      return figures;
    },
    now: () => figures.nowMs,
    loopDelayMs: () => figures.delayMs,
    collect: () => told.push('collect'),
    memorySoftRatio: 0.8,
    loopDelayMaxMs: 200,
    onChange: (kind, high) => told.push(`${kind} ${high}`),
  });
  const look = (times = 1): void => {
    for (let count = 0; count < times; count++) pressure.look();
  };
  return { figures, told, pressure, look };
};

describe('pressure', () => {
  it('is there from the first figure above its limit, with the reason', () => {
    const { figures, pressure, look, told } = pressing();
    look();
    expect([pressure.isHigh, pressure.check()]).toEqual([false, { ok: true }]);
    Object.assign(figures, { heap: 0.81, container: 0.92, delayMs: 201 });
    look();
    expect(pressure.check()).toEqual({ ok: false, reason: 'the heap is 81 % full, the memory of the container is 92 % full, the event loop is 201 ms late' });
    expect(told).toEqual(['heap true', 'container true', 'event-loop true']);
  });

  it('ends when a figure stays clearly below its limit for a while', () => {
    const { figures, pressure, look, told } = pressing();
    figures.heap = 0.9;
    look();
    figures.heap = 0.75;
    look(20);
    expect(pressure.isHigh).toBe(true);
    figures.heap = 0.7;
    look(3);
    figures.heap = 0.75;
    look();
    figures.heap = 0.7;
    look(3);
    expect(pressure.isHigh).toBe(true);
    look();
    expect(pressure.isHigh).toBe(false);
    expect(told.filter((each) => each !== 'collect')).toEqual(['heap true', 'heap false']);
  });
});

describe('the memory of a gateway that newcomers fill between two looks', () => {
  it.each(['heap', 'container'] as const)('is looked at for them once in 20 ms: its %s closes the door at once', (kind) => {
    const { figures, pressure, look, told } = pressing();
    look();
    figures[kind] = 0.81;
    figures.nowMs += 19;
    expect([pressure.isHighForNewcomers(), figures.memoryLooks]).toEqual([false, 1]);
    figures.nowMs += 1;
    expect([pressure.isHighForNewcomers(), pressure.isHigh, figures.memoryLooks]).toEqual([true, true, 2]);
    expect(told).toEqual([`${kind} true`]);
  });

  it('is not looked at for each of them, nor once the door is closed: the looks of the timer end it, however many come', () => {
    const { figures, pressure, look, told } = pressing();
    for (let newcomer = 0; newcomer < 1_000; newcomer++) {
      figures.nowMs += 1;
      pressure.isHighForNewcomers();
    }
    expect(figures.memoryLooks).toBe(50);
    figures.heap = 0.81;
    look();
    figures.heap = 0.1;
    for (let newcomer = 0; newcomer < 1_000; newcomer++) {
      figures.nowMs += 1;
      expect(pressure.isHighForNewcomers()).toBe(true);
    }
    expect([figures.memoryLooks, told]).toEqual([51, ['heap true']]);
    look(4);
    expect(pressure.isHighForNewcomers()).toBe(false);
  });
});

describe('a heap that stays too full', () => {
  it('is collected every tenth look, until the pressure is over', () => {
    const { figures, look, told } = pressing();
    figures.heap = 0.79;
    look(30);
    figures.heap = 0.81;
    look(9);
    expect(told).toEqual(['heap true']);
    look();
    expect(told).toEqual(['heap true', 'collect']);
    look(20);
    expect(told.filter((each) => each === 'collect')).toHaveLength(3);
    figures.heap = 0.78;
    look(20);
    expect(told.filter((each) => each === 'collect')).toHaveLength(5);
    figures.heap = 0.5;
    look(30);
    expect(told.filter((each) => each === 'collect')).toHaveLength(5);
  });
});

describe('the use of memory', () => {
  const roots: string[] = [];
  afterEach(() => {
    for (const root of roots.splice(0)) rmSync(root, { recursive: true });
  });
  const rootWith = (files: Record<string, string>): string => {
    const root = mkdtempSync(join(tmpdir(), 'cgroup-'));
    roots.push(root);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(root, name, '..'), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return root;
  };

  it('reads version 2, without the cache of files', () => {
    const root = rootWith({ 'memory.max': '1000000\n', 'memory.current': '900000\n', 'memory.stat': 'anon 5\ninactive_file 400000\nactive_file 7\n' });
    const use = createMemoryUse(root);
    expect(use().container).toBe(0.5);
    writeFileSync(join(root, 'memory.current'), '1300000\n');
    expect(use().container).toBe(0.9);
  });

  it('reads version 1', () => {
    const root = rootWith({ 'memory/memory.limit_in_bytes': '1000000\n', 'memory/memory.usage_in_bytes': '900000\n', 'memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 100000\n' });
    expect(createMemoryUse(root)().container).toBe(0.8);
  });

  it.each([
    ['no limit in version 2', { 'memory.max': 'max\n', 'memory.current': '5\n', 'memory.stat': '' }],
    ['no limit in version 1', { 'memory/memory.limit_in_bytes': '9223372036854771712\n', 'memory/memory.usage_in_bytes': '5\n' }],
    ['no control group', {}],
    ['nonsense', { 'memory.max': 'x', 'memory.current': 'y' }],
  ])('knows %s', (_what, files) => {
    expect(createMemoryUse(rootWith(files))().container).toBeNull();
  });

  it('knows the share of the heap', () => {
    const { heap } = createMemoryUse(rootWith({}))();
    expect(heap).toBeGreaterThan(0);
    expect(heap).toBeLessThan(1);
  });
});

describe('a process that is told the size of its old generation', () => {
  const script = `
    const { collectGarbage, createMemoryUse } = await import(process.argv[1]);
    const heap = () => { collectGarbage(); return createMemoryUse('/nowhere')().heap; };
    const empty = heap();
    const held = Array.from({ length: 48 }, (_, n) => new Array(131_072).fill(n));
    const full = heap();
    held.length = 0;
    console.log(JSON.stringify([empty, full, heap()]));`;
  const sharesWith = async (nodeOptions: string, ...options: string[]): Promise<number[]> => {
    const address = new URL('memory-use.ts', import.meta.url).href;
    const { stdout } = await promisify(execFile)(process.execPath, [...options, '--input-type=module', '--eval', script, address], { env: { ...process.env, NODE_OPTIONS: nodeOptions } });
    return JSON.parse(stdout) as number[];
  };

  it.each([
    ['an argument', '', ['--max-old-space-size=96']],
    ['the environment', '--max_old_space_size=96', []],
    ['both, where the argument counts', '--max-old-space-size=2000', ['--max-old-space-size=96']],
  ])('by %s sees 48 of 96 MB as half, and them go when they are collected', async (_how, nodeOptions, options) => {
    const [empty = 1, full = 0, after = 1] = await sharesWith(nodeOptions, ...options);
    expect(empty).toBeLessThan(0.25);
    expect(full - empty).toBeCloseTo(0.5, 1);
    expect(after - empty).toBeCloseTo(0, 1);
  });
});

describe('the delay of the event loop', () => {
  it('counts many pauses, and not one', async () => {
    const delay = watchLoopDelay();
    const block = (ms: number): void => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs);
    };
    // More than one in a hundred of the samples of a window.
    const timer = setInterval(() => { block(150); }, 300);
    await eventually(() => delay.p99Ms() > 100, { timeoutMs: 15_000 });
    clearInterval(timer);
    await eventually(() => delay.p99Ms() < 100, { timeoutMs: 20_000 });
    delay.stop();
  }, 40_000);
});
