import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

import { accepted, refusalSchema, refused } from './acknowledgement.ts';
import { refusalCodes, refusals } from './refusals.ts';
import { Rejection } from './rejection.ts';

describe('[ACK1] a Rejection', () => {
  it('tells what the catalogue says', () => {
    expect(new Rejection('combat/not-your-turn').toRefusal()).toEqual({
      code: 'combat/not-your-turn',
      message: refusals['combat/not-your-turn'].message,
      retry: 'later',
    });
    expect(new Rejection('server/busy').toRefusal()).toMatchObject({ retryAfterMs: 1_000 });
  });

  it('takes a better hint, a path and a sentence', () => {
    const rejection = new Rejection('rate/limited', { retryAfterMs: 250, path: 'text', message: 'Slower, please.' });
    expect(rejection.toRefusal()).toEqual({ code: 'rate/limited', message: 'Slower, please.', retry: 'later', retryAfterMs: 250, path: 'text' });
    expect(rejection).toMatchObject({ code: 'rate/limited', retryAfterMs: 250, path: 'text' });
  });

  it('[ACK7] keeps its cause to itself', () => {
    const cause = new Error('password=secret');
    const rejection = new Rejection('server/internal', { cause });
    expect(rejection.cause).toBe(cause);
    expect(JSON.stringify(rejection.toRefusal())).not.toContain('secret');
  });

  it('is an Error with the name Rejection', () => {
    const rejection = new Rejection('server/internal');
    expect(rejection).toBeInstanceOf(Error);
    expect(rejection.name).toBe('Rejection');
    expect('cause' in rejection).toBe(false);
  });

  it('of every code passes the schema of refusals', () => {
    for (const code of refusalCodes) expect(v.parse(refusalSchema, new Rejection(code).toRefusal())).toEqual(new Rejection(code).toRefusal());
  });
});

it('[ACK1] the envelope says ok or not', () => {
  expect(accepted({ a: 1 })).toEqual({ ok: true, data: { a: 1 } });
  const refusal = new Rejection('event/unknown').toRefusal();
  expect(refused(refusal)).toEqual({ ok: false, error: refusal });
});
