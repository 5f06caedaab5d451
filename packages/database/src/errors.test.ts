import { refusals, Rejection } from '@skirmish/protocol';
import { describe, expect, it } from 'vitest';
import { isInfrastructureError, sqlStateOf, toRejection } from './errors.ts';
import { MigrationError } from './migrate.ts';
import { UnsafeIntegerError } from './parse-columns.ts';

const withCode = (code: string, message = 'insert into users values (\'secret\')'): Error => Object.assign(new Error(message), { code });

describe('a database error', () => {
  it.each([
    ['08006', true, 'server/unavailable'],
    ['22P02', false, 'payload/invalid'],
    ['22021', false, 'payload/invalid'],
    ['22003', false, 'payload/invalid'],
    ['23505', false, 'server/internal'],
    ['23503', false, 'server/internal'],
    ['23514', false, 'server/internal'],
    ['25P02', false, 'server/internal'],
    ['25P03', true, 'server/unavailable'],
    ['25P04', true, 'server/unavailable'],
    ['25006', true, 'server/unavailable'],
    ['28P01', true, 'server/unavailable'],
    ['3D000', true, 'server/unavailable'],
    ['40001', true, 'server/unavailable'],
    ['40P01', true, 'server/unavailable'],
    ['42P01', false, 'server/internal'],
    ['42703', false, 'server/internal'],
    ['53100', true, 'server/unavailable'],
    ['53200', true, 'server/unavailable'],
    ['53300', true, 'server/busy'],
    ['55P03', true, 'server/busy'],
    ['57014', true, 'server/unavailable'],
    ['57P01', true, 'server/unavailable'],
    ['57P02', true, 'server/unavailable'],
    ['57P03', true, 'server/unavailable'],
    ['58030', true, 'server/unavailable'],
    ['P0001', false, 'server/internal'],
    ['XX000', false, 'server/internal'],
  ])('of state %s is infrastructure: %s, and is told as %s', (state, infrastructure, code) => {
    expect(isInfrastructureError(withCode(state))).toBe(infrastructure);
    expect(toRejection(withCode(state)).code).toBe(code);
  });

  it.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'])('of the socket, %s, is infrastructure', (code) => {
    expect(isInfrastructureError(withCode(code))).toBe(true);
    expect(toRejection(withCode(code)).code).toBe('server/unavailable');
    expect(sqlStateOf(withCode(code))).toBeUndefined();
  });

  it('is found among causes and members', () => {
    expect(isInfrastructureError(new Error('outer', { cause: withCode('57P01') }))).toBe(true);
    expect(isInfrastructureError(new AggregateError([withCode('ECONNREFUSED')], 'all addresses'))).toBe(true);
    expect(sqlStateOf(new Error('outer', { cause: new Error('middle', { cause: withCode('40001') }) }))).toBe('40001');
  });

  it('that is a full pool says busy', () => {
    const error = new Error('timeout exceeded when trying to connect');
    expect(isInfrastructureError(error)).toBe(true);
    expect(toRejection(error).code).toBe('server/busy');
  });

  it('never shows its text, its values or its address to a client', () => {
    const error = withCode('23505');
    const refusal = toRejection(error).toRefusal();
    expect(refusal).toMatchObject({ code: 'server/internal', message: refusals['server/internal'].message });
    expect(JSON.stringify(refusal)).not.toContain('secret');
    expect(toRejection(error).cause).toBe(error);
  });
});

describe('anything else', () => {
  it.each([new TypeError('x is not a function'), new UnsafeIntegerError('unsafe'), new MigrationError('order'), 'a string', undefined, null, 7, { code: 7 }])(
    'such as %s is our mistake',
    (error) => {
      expect(isInfrastructureError(error)).toBe(false);
      expect(toRejection(error).code).toBe('server/internal');
    },
  );

  it('that is a Rejection already stays what it is, also when the database caused it', () => {
    const rejection = new Rejection('combat/over', { cause: withCode('57P01') });
    expect(toRejection(rejection)).toBe(rejection);
    expect(isInfrastructureError(rejection)).toBe(false);
  });

  it('with causes in a circle ends', () => {
    const one = new Error('one');
    one.cause = new Error('two', { cause: one });
    expect(isInfrastructureError(one)).toBe(false);
  });
});
