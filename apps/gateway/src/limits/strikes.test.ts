import type { AddedStrikes, NewStrikes, StrikeRules } from '@skirmish/database';
import { createLogger, createMetrics } from '@skirmish/observability';
import type { UserId } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';
import { createGatewayMetrics } from '../metrics.ts';
import { neverMuted } from './ladder.ts';
import { Mutes } from './mutes.ts';
import { Strikes, strikesLimits } from './strikes.ts';

const rules: StrikeRules = { decayPerMinute: 0.01, scoreMax: 2_000, muteAt: 120, muteMs: 60_000, neverMuted };
const thresholds = { warnAt: 40, disconnectAt: 300, banAt: 1_000 };
const user = (n: number): UserId => `u${n}` as UserId;

/** Strikes over a table that the test answers for: `null` stands for Postgres being away. */
function strikesOver(answer: (strikes: readonly NewStrikes[]) => AddedStrikes[] | null) {
  const seen = { batches: [] as NewStrikes[][], done: [] as string[], bansFail: false };
  const metrics = createGatewayMetrics({ logger: createLogger({ name: 'test', level: 'silent' }), metrics: createMetrics({ process: 'gateway', runtime: false }), socketCount: () => 0 });
  const strikes = new Strikes({
    thresholds,
    rules,
    add: async (batch) => {
      const added = answer(batch);
      if (!added) throw new Error('Postgres is away');
      seen.batches.push([...batch]);
      return added;
    },
    consequences: {
      take: async (step, userId) => {
        seen.done.push(`${step} ${userId}`);
        return !(step === 'ban' && seen.bansFail);
      },
      mute: async (userId, feature) => seen.done.push(`mute ${userId} ${feature}`) > 0,
    },
    mutes: new Mutes(),
    metrics,
    flushAfterMs: 20,
  });
  return { strikes, seen };
}

const asAdded = (batch: readonly NewStrikes[], before = 0): AddedStrikes[] =>
  batch.map(({ userId, feature, count }) => ({ userId, feature, before, after: before + count, mutedForMs: 0, muteBegins: false }));

describe('strikes of a gateway', () => {
  it('are written together, per feature and all together', async () => {
    const { strikes, seen } = strikesOver((batch) => asAdded(batch));
    for (let n = 0; n < 1_000; n += 1) strikes.count(user(n % 3), n % 2 ? 'chat' : 'party', 1);
    strikes.count(user(0), '', 10);
    await eventually(() => seen.batches.length === 1);
    const of = (userId: UserId, feature: string) => seen.batches[0]!.find((row) => row.userId === userId && row.feature === feature)?.count;
    expect([of(user(0), ''), of(user(0), 'chat'), of(user(0), 'party'), of(user(1), '')]).toEqual([344, 167, 167, 333]);
    await strikes.stop();
    expect([seen.batches.length, strikes.userCount]).toEqual([1, 0]);
  });

  it('[LIM3] let the total of the cluster decide', async () => {
    const { strikes, seen } = strikesOver((batch) => asAdded(batch, 39));
    strikes.count(user(1), 'chat', 1);
    await eventually(() => seen.done.length === 1);
    expect(seen.done).toEqual(['warn u1']);
    await strikes.stop();
  });

  it('[LIM8] are kept while Postgres is away, and no step is taken twice', async () => {
    let away = true;
    const { strikes, seen } = strikesOver((batch) => (away ? null : asAdded(batch)));
    strikes.count(user(1), 'chat', 310);
    await eventually(() => seen.done.length === 2);
    expect(seen.done.toSorted()).toEqual(['disconnect u1', 'mute u1 chat']);
    strikes.count(user(1), 'chat', 5);
    away = false;
    await eventually(() => seen.batches.length === 1);
    expect(seen.batches[0]!.map(({ count }) => Math.round(count))).toEqual([315, 315]);
    await strikes.stop();
    expect(seen.done.length).toBe(2);
  });

  it('[LIM8] take the step that was not in force once more, when Postgres is back', async () => {
    let away = true;
    const { strikes, seen } = strikesOver((batch) => (away ? null : asAdded(batch)));
    seen.bansFail = true;
    strikes.count(user(1), '', 1_100);
    await eventually(() => seen.done.length === 1);
    [away, seen.bansFail] = [false, false];
    await eventually(() => seen.done.length >= 2);
    await strikes.stop();
    expect(seen.done.at(-1)).toBe('ban u1');
  });

  it('are bounded in memory, and in each statement', async () => {
    let away = true;
    const { strikes, seen } = strikesOver((batch) => (away ? null : asAdded(batch)));
    for (let n = 0; n < strikesLimits.usersMax + 50; n += 1) strikes.count(user(n), 'chat', 1);
    expect(strikes.userCount).toBe(strikesLimits.usersMax);
    away = false;
    await eventually(() => strikes.userCount === 0);
    expect(Math.max(...seen.batches.map((batch) => batch.length))).toBe(2 * strikesLimits.usersPerFlushMax);
    await strikes.stop();
  });

  it('are written at the end, and nothing follows from that', async () => {
    const { strikes, seen } = strikesOver((batch) => asAdded(batch));
    strikes.count(user(1), 'chat', 500);
    await strikes.stop();
    expect([seen.batches.length, seen.done]).toEqual([1, []]);
  });
});
