import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loggable, redacted } from './loggable.ts';

const one = (value: unknown): unknown => loggable({ value })['value'];

describe('loggable: secrets', () => {
  it.each([
    'token', 'refreshToken', 'access_token', 'tokens', 'password', 'newPassword', 'passwd', 'secret', 'clientSecret', 'jwt', 'authorization', 'Authorization',
    'cookie', 'set-cookie', 'setCookie', 'auth', 'text', 'sid', 'privateId', 'query',
  ])('replaces "%s"', (key) => {
    expect(loggable({ [key]: 'hush' })).toEqual({ [key]: redacted });
    expect(loggable({ a: [{ b: { [key]: { deep: 'hush' } } }] })).toEqual({ a: [{ b: { [key]: redacted } }] });
  });

  it.each(['tokenExpiresAtMs', 'context', 'author', 'userId', 'side', 'queryCount', 'secretary'])('keeps "%s"', (key) => {
    expect(loggable({ [key]: 'shown' })).toEqual({ [key]: 'shown' });
  });

  it('hides the password of a URL in any text, also in messages and stacks of errors', () => {
    expect(one('at redis://user:hu/s@h@host:1 and postgres://:hush@db')).toBe(`at redis://user:${redacted}@host:1 and postgres://:${redacted}@db`);
    expect(JSON.stringify(one(new Error('connect redis://user:hush@host')))).not.toContain('hush');
  });

  it('never lets a value under a sensitive key through, whatever surrounds it', () => {
    const secret = 'hush-hush-hush';
    const value = fc.object({ maxDepth: 6, key: fc.constantFrom('a', 'token', 'list', 'password', 'auth'), values: [fc.constant(secret), fc.integer()] });
    fc.assert(
      fc.property(value, (fields) => {
        const written = JSON.stringify(loggable(fields));
        expect(written).not.toMatch(/"(?:token|password|auth)":(?!"\[redacted\]")/);
      }),
    );
  });
});

describe('loggable: form', () => {
  it('keeps simple values, dates and plain objects', () => {
    const fields = { text_: 'x', number: 1, yes: true, none: null, absent: undefined, at: new Date(0), list: [1, 'two'], bare: Object.assign(Object.create(null), { a: 1 }) };
    expect(loggable(fields)).toEqual({ ...fields, at: '1970-01-01T00:00:00.000Z', bare: { a: 1 } });
  });

  it('writes what JSON cannot', () => {
    expect(loggable({ big: 10n, made: () => 1, mark: Symbol('x'), never: new Date(Number.NaN) })).toEqual({
      big: '10',
      made: '[function]',
      mark: '[symbol]',
      never: '[invalid date]',
    });
  });

  it('names instances of classes and does not open them', () => {
    class Session {
      readonly token_ = 'hush';
    }
    expect(loggable({ session: new Session(), map: new Map([['a', 1]]), bytes: Buffer.from('hush') })).toEqual({ session: '[Session]', map: '[Map]', bytes: '[Buffer]' });
    expect(one(Object.create(Object.create(null) as object))).toBe('[object]');
  });

  it('ends at a fixed depth, so that cycles end too', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(loggable(cycle)).toEqual({ self: { self: { self: { self: { self: '[deeper]' } } } } });
  });

  it('bounds texts, lists and entries', () => {
    expect(one('x'.repeat(2_010))).toBe(`${'x'.repeat(2_000)}… 10 more characters`);
    const list = one(Array.from({ length: 60 }, (_, index) => index)) as unknown[];
    expect(list).toHaveLength(51);
    expect(list.at(-1)).toBe('… 10 more');
    const entries = Object.keys(loggable(Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`k${index}`, index]))));
    expect(entries).toHaveLength(51);
    expect(entries.at(-1)).toBe('…');
  });

  it('takes away what would move or colour the text of a terminal', () => {
    expect(one('a\u009b31mb\u202ec\u2066d')).toBe('a?31mb?c?d');
  });

  it('never throws: a line without fields is better', () => {
    const trap = {
      get thrower(): string {
        throw new Error('a getter threw');
      },
    };
    expect(loggable(trap)).toEqual({ unloggable: true });
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withNullPrototype: true }), (value) => {
        expect(() => JSON.stringify(loggable({ value }))).not.toThrow();
      }),
    );
  });
});

describe('loggable: errors', () => {
  it('reduces an error to type, message, code, stack and cause', () => {
    const error = Object.assign(new RangeError('outer', { cause: new TypeError('inner') }), { code: 'E_X', detail: 'Key (text)=(hush)', parameters: ['hush'] });
    expect(one(error)).toEqual({
      type: 'RangeError',
      message: 'outer',
      code: 'E_X',
      stack: expect.stringContaining('RangeError: outer'),
      cause: { type: 'TypeError', message: 'inner', stack: expect.stringContaining('inner') },
    });
  });

  it('keeps a numeric code and drops any other, and a stack that is no text', () => {
    expect(one(Object.assign(new Error('x'), { code: 7, stack: undefined }))).toEqual({ type: 'Error', message: 'x', code: 7 });
    expect(one(Object.assign(new Error('x'), { code: { hush: 1 }, stack: undefined }))).toEqual({ type: 'Error', message: 'x' });
  });

  it('follows causes three deep and the first three of an AggregateError', () => {
    const chain = [1, 2, 3, 4, 5].reduce((cause, depth) => Object.assign(new Error(`depth ${depth}`, { cause }), { stack: undefined }), new Error('root'));
    expect(JSON.stringify(one(chain)).match(/depth \d/g)).toEqual(['depth 5', 'depth 4', 'depth 3', 'depth 2']);
    const many = one(new AggregateError([new Error('a'), 'b', new Error('c'), new Error('d')], 'many')) as { errors: unknown[] };
    expect(many.errors).toEqual([expect.objectContaining({ message: 'a' }), 'b', expect.objectContaining({ message: 'c' })]);
  });
});

describe('loggable: requests and responses', () => {
  it('keeps method, route and request id of a request and the status of a response', () => {
    const req = { method: 'POST', url: '/v1/x?token=hush', originalUrl: 'hush', headers: { authorization: 'hush' }, body: 'hush', route: { path: '/v1/:id' }, id: 'r-1' };
    expect(loggable({ req, res: { statusCode: 503, headers: 'hush' } })).toEqual({
      req: { method: 'POST', route: '/v1/:id', requestId: 'r-1' },
      res: { status: 503 },
    });
  });

  it('is content with what is there', () => {
    expect(loggable({ req: {}, res: {} })).toEqual({ req: { method: undefined, route: undefined, requestId: undefined }, res: { status: undefined } });
    expect(loggable({ req: 'none', res: null })).toEqual({ req: 'none', res: null });
    expect(loggable({ req: { route: 'hush' } })).toEqual({ req: { method: undefined, route: undefined, requestId: undefined } });
  });
});
