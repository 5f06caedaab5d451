import { describe, expect, it } from 'vitest';
import { TokenBuckets, tokenBucketLimits } from './token-buckets.ts';

const limit = { ratePerSecond: 10, burst: 2 };

describe('token buckets', () => {
  it('lets the burst pass, then refuses with the time until the next token', () => {
    const buckets = new TokenBuckets(1);
    expect(buckets.take('u', 'e', limit, 0)).toBe(0);
    expect(buckets.take('u', 'e', limit, 0)).toBe(0);
    expect(buckets.take('u', 'e', limit, 0)).toBe(100);
    expect(buckets.take('u', 'e', limit, 50)).toBe(50);
    expect(buckets.take('u', 'e', limit, 100)).toBe(0);
  });

  it('never saves up more than the burst', () => {
    const buckets = new TokenBuckets(1);
    buckets.take('u', 'e', limit, 0);
    const answers = [1, 2, 3].map(() => buckets.take('u', 'e', limit, 3_600_000));
    expect(answers).toEqual([0, 0, 100]);
  });

  it('keeps users and names apart', () => {
    const buckets = new TokenBuckets(1);
    const one = { ratePerSecond: 1, burst: 1 };
    expect(buckets.take('u', 'e', one, 0)).toBe(0);
    expect(buckets.take('u', 'e', one, 0)).toBeGreaterThan(0);
    expect(buckets.take('v', 'e', one, 0)).toBe(0);
    expect(buckets.take('u', 'f', one, 0)).toBe(0);
  });

  it('multiplies rate and burst by the scale', () => {
    const buckets = new TokenBuckets(3);
    const answers = Array.from({ length: 7 }, () => buckets.take('u', 'e', limit, 0));
    expect(answers.slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(answers[6]).toBe(34);
  });

  it('a clock that goes back gives nothing away and takes nothing', () => {
    const buckets = new TokenBuckets(1);
    buckets.take('u', 'e', limit, 1_000);
    expect(buckets.take('u', 'e', limit, 0)).toBe(0);
    expect(buckets.take('u', 'e', limit, 0)).toBe(100);
  });

  it('forgets a full bucket when a user has too many, else the one that is next to full: new names give no used one back', () => {
    const buckets = new TokenBuckets(1);
    const slow = { ratePerSecond: 0.001, burst: 1 };
    const quick = { ratePerSecond: 1, burst: 1 };
    buckets.take('u', 'slow', slow, 0);
    for (let name = 0; name < tokenBucketLimits.bucketsPerUserMax + 10; name++) buckets.take('u', `a ${name}`, quick, 0);
    expect(buckets.take('u', 'slow', slow, 0)).toBe(1_000_000);
    buckets.take('u', 'used', quick, 2_000);
    for (let name = 0; name < tokenBucketLimits.bucketsPerUserMax - 3; name++) buckets.take('u', `b ${name}`, quick, 2_000);
    expect(buckets.take('u', 'used', quick, 2_000)).toBe(1_000);
    expect(buckets.take('u', 'slow', slow, 2_000)).toBe(998_000);
  });

  it('bounds the names of a user and forgets idle users', () => {
    const buckets = new TokenBuckets(1);
    for (let name = 0; name < tokenBucketLimits.bucketsPerUserMax + 10; name++) buckets.take('u', String(name), limit, 0);
    expect(buckets.userCount).toBe(1);
    buckets.sweep(tokenBucketLimits.forgetAfterMs + 1);
    expect(buckets.userCount).toBe(0);
  });
});
