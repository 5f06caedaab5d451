import { expect } from 'vitest';
import { fuzz } from './_fuzz-run.ts';
import type { FuzzReport } from './_fuzz-run.ts';
import { playBeside, startFuzzWorld } from './_fuzz-world.ts';

/** Set to repeat a run. */
export const fuzzSeed = Number(process.env['FUZZ_SEED'] ?? 20_261_123);

/** Limits that no fuzz on a busy machine runs into. */
export const unlimited = { RATE_LIMIT_SCALE: '10000', HANDSHAKES_PER_SECOND_MAX: '100000', EVENT_LOOP_DELAY_MAX_MS: '60000' } as const;

export interface FuzzRun {
  readonly framesMin: number;
  readonly atATime: number;
  readonly batch: number;
  readonly env: Record<string, string>;
  /** How much more memory may be in use after the run than before. */
  readonly growthBytesMax: number;
}

/** Short heartbeats and limits, so that connections that are left lying are gone when memory is compared. */
const quick = { PING_INTERVAL_MS: '1500', PING_TIMEOUT_MS: '6000', CONNECT_TIMEOUT_MS: '6000' };
const warmUpFrames = 6_000;

export interface FuzzVerdict extends FuzzReport {
  /** Events by outcome. */
  readonly outcomes: Record<string, number>;
}

/**
 * Fuzzes one gateway and demands what holds for any run: the same process, nothing unhandled, nothing logged as an error, memory
 * back where it was, and an ordinary player beside it who never missed an answer.
 */
export async function expectUnmoved({ framesMin, atATime, batch, env, growthBytesMax }: FuzzRun): Promise<FuzzVerdict> {
  await using world = await startFuzzWorld({ ...quick, ...env });
  const { gateway, cluster } = world;
  const { pid } = gateway;
  const player = await cluster.connect('p70', 0);
  const bystander = playBeside(player);
  const options = { url: world.url, namespace: `/realm/${cluster.realm}`, atATime, batch, isAlive: () => gateway.isRunning(), token: (place: number) => cluster.token(`p${place + 1}`) };
  await fuzz({ ...options, seed: fuzzSeed + 1, framesMin: Math.min(warmUpFrames, framesMin) });
  expect(gateway.isRunning(), gateway.output().slice(-2_000)).toBe(true);
  const before = await world.measure();
  const report = await fuzz({ ...options, seed: fuzzSeed, framesMin });
  expect(gateway.isRunning(), gateway.output().slice(-2_000)).toBe(true);
  const outcomes = await world.outcomes();
  const grown = (): Promise<number> => world.measure().then(({ bytes }) => bytes - before.bytes);
  await world.settles(async () => { expect(await grown()).toBeLessThan(growthBytesMax); });

  const beside = await bystander.stop();
  expect(beside).toMatchObject({ answered: beside.asked, disconnects: [] });
  expect(beside.asked).toBeGreaterThan(10);
  const newcomer = await cluster.connect('p71', 0);
  expect(await newcomer.send('session:ping', { atMs: 7 })).toMatchObject({ ok: true, data: { atMs: 7 } });
  expect(gateway.isRunning() && gateway.pid === pid).toBe(true);
  expect(gateway.output().replaceAll(/^measured .*$/gm, '').trim()).toBe('');
  return { ...report, outcomes };
}
