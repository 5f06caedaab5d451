import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { hostile } from '../test/_arbitraries.ts';
import { clientEventNames, type ClientPayload, isClientEventName, parseClientPayload } from './client-events.ts';
import { Rejection } from './rejection.ts';

const anyEvent = fc.constantFrom(...clientEventNames);

function rejectionOf(parse: () => unknown): Rejection {
  try {
    parse();
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error('the payload was accepted');
}

describe('parseClientPayload', () => {
  it('[ACK5] gives a payload or a Rejection, whatever a client sends', () => {
    fc.assert(
      fc.property(anyEvent, hostile, (event, payload) => {
        try {
          expect(parseClientPayload(event, payload)).toBeTypeOf('object');
        } catch (error) {
          expect(error).toBeInstanceOf(Rejection);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('[ACK7] keeps nothing of what a client sent', () => {
    const secret = 'do-not-keep-me';
    for (const payload of [secret, { commandId: `${secret}!` }, { commandId: 'k', [`${secret}-key`]: 1 }, { commandId: 'k', channel: { kind: secret }, text: secret }]) {
      const rejection = rejectionOf(() => parseClientPayload('chat:send', payload));
      expect(JSON.stringify([rejection.toRefusal(), rejection.message, rejection.cause ?? null])).not.toContain(secret);
    }
  });

  it('names a strange key only as ?', () => {
    expect(rejectionOf(() => parseClientPayload('session:ping', { atMs: 1, ['x'.repeat(60_000)]: 1 })).path).toBe('?');
    expect(rejectionOf(() => parseClientPayload('session:ping', { atMs: 1, 'a.b': 1 })).path).toBe('?');
  });

  it('[PAY1] lets no __proto__ in, and pollutes nothing', () => {
    const payload: unknown = JSON.parse('{"commandId":"k","opponents":["c2"],"__proto__":{"encounterId":"training-dummy"}}');
    expect(rejectionOf(() => parseClientPayload('combat:start', payload)).code).toBe('payload/invalid');
    expect(Object.hasOwn(Object.prototype, 'encounterId')).toBe(false);
  });

  it('[PAY3] checks the length of a list before its items', () => {
    const items = { touched: 0 };
    const list = Array.from({ length: 101 });
    Object.defineProperty(list, 0, {
      get: () => {
        items.touched += 1;
        return 'p1';
      },
    });
    expect(rejectionOf(() => parseClientPayload('presence:watch', { userIds: list })).path).toBe('userIds');
    expect(items.touched).toBe(0);
  });

  it('[PAY3] does not look at a second item after a wrong one', () => {
    let second = 0;
    const list = [null, 'p1'];
    Object.defineProperty(list, 1, { get: () => (second += 1) });
    expect(rejectionOf(() => parseClientPayload('presence:watch', { userIds: list })).path).toBe('userIds.0');
    expect(second).toBe(0);
  });

  it('[PAY3] refuses numbers that are none', () => {
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1n]) {
      expect(rejectionOf(() => parseClientPayload('character:move', { seq: 1, x, y: 1 })).path).toBe('x');
    }
  });

  it('makes zero of negative zero', () => {
    const move = parseClientPayload('character:move', { seq: -0, x: -0, y: -0, facing: -0 });
    expect(Object.values(move).every((value) => Object.is(value, 0))).toBe(true);
  });

  it('[PTY3] gives bytes as a Uint8Array, as Node and browsers send them', () => {
    const bytesOf = (bytes: unknown): ClientPayload<'party:data'>['bytes'] => parseClientPayload('party:data', { kind: 'voice', bytes }).bytes;
    expect(bytesOf(Buffer.from([1, 2]))).toEqual(Buffer.from([1, 2]));
    expect(bytesOf(new Uint8Array([1, 2]).buffer)).toEqual(new Uint8Array([1, 2]));
  });

  it('[PAY1] refuses inherited fields as well, and gives a plain object of its own', () => {
    const sent = Object.assign(Object.create(null) as object, { atMs: 1 });
    expect(Object.getPrototypeOf(parseClientPayload('session:ping', sent))).toBe(Object.prototype);
    expect(rejectionOf(() => parseClientPayload('session:ping', Object.assign(Object.create({ more: 1 }) as object, sent))).path).toBe('more');
  });
});

it('[ACK5] only the names of the table are events', () => {
  for (const name of clientEventNames) expect(isClientEventName(name)).toBe(true);
  for (const name of ['error', 'connect', 'constructor', '__proto__', 'toString', 'app:x', 'chat:message', '', 5, null, undefined]) {
    expect(isClientEventName(name)).toBe(false);
  }
});
