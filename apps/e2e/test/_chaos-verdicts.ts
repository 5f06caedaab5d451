import { expect } from 'vitest';
import type { Verdict } from './_chaos-world.ts';
import { flawlessJourney } from './_delivery-checker.ts';
import type { Traveller } from './_traveller.ts';

/** Everybody got everything once and in order, without a reload; the victims by resuming, the others without noticing. */
export function expectFlawless(verdicts: readonly Verdict[], victims: readonly Traveller[]): void {
  const short = verdicts.map(({ userId, report }) => ({ userId, ...shortened(report) }));
  expect(short).toEqual(verdicts.map(({ userId }) => ({ userId, ...flawlessJourney })));
  const hurt = new Set(victims.map(({ userId }) => userId));
  for (const { userId, recovered } of verdicts) {
    const [first, ...later] = recovered;
    expect(first, `${userId} begins anew`).toBe(false);
    expect(later, `${userId} recovers each time`).toEqual(later.map(() => true));
    expect(later.length > 0, `${userId} was away`).toBe(hurt.has(userId));
  }
}

/** A message with thousands of names helps nobody. */
const shortened = <T extends object>(report: T): T =>
  Object.fromEntries(Object.entries(report).map(([name, value]) => [name, Array.isArray(value) && value.length > 6 ? [...value.slice(0, 6), `and ${value.length - 6} more`] : value])) as T;
