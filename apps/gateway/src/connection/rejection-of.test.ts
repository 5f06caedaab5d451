import { Rejection } from '@skirmish/protocol';
import { describe, expect, it } from 'vitest';
import { rejectionOf } from './rejection-of.ts';

describe('an error below a handler', () => {
  it.each([
    "Stream isn't writeable and enableOfflineQueue options is false",
    'Connection is closed.',
    'Command timed out',
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
  ])('%s means that Redis is away', (message) => {
    expect(rejectionOf(new Error(message))).toMatchObject({ code: 'server/unavailable', cause: expect.any(Error) });
  });

  it('of any other kind is ours, and a refusal stays what it is', () => {
    for (const error of [new Error('WRONGTYPE Operation against a key'), new TypeError('x'), 'text', null, undefined]) expect(rejectionOf(error).code).toBe('server/internal');
    const refusal = new Rejection('rate/limited', { message: 'Command timed out' });
    expect(rejectionOf(refusal)).toBe(refusal);
  });
});
