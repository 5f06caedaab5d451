import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionIds, sidOf } from './session-ids.ts';

describe('session ids', () => {
  it('name the incarnation that made them, also after it took another id', () => {
    let incarnation = 'first-000000';
    const ids = new SessionIds(() => incarnation);
    const first = ids.fresh();
    incarnation = 'second-00000';
    expect(ids.foreignOwnerOf(first)).toBeNull();
    expect(ids.foreignOwnerOf(ids.fresh())).toBeNull();
    expect(new SessionIds(() => 'third-000000').foreignOwnerOf(first)).toBe('first-000000');
  });

  it('are never the same and carry 144 random bits', () => {
    const ids = new SessionIds(() => 'a');
    const made = Array.from({ length: 10_000 }, () => ids.fresh());
    expect(new Set(made).size).toBe(made.length);
    expect(made.every((sid) => /^a\.[A-Za-z0-9_-]{24}$/.test(sid))).toBe(true);
  });

  it('keep a bounded number of earlier incarnations', () => {
    let incarnation = '';
    const ids = new SessionIds(() => incarnation);
    const made = Array.from({ length: 200 }, (_none, index) => {
      incarnation = `life-${index}`;
      return ids.fresh();
    });
    incarnation = 'now';
    expect(made.filter((sid) => ids.foreignOwnerOf(sid) === null)).toEqual(made.slice(-100));
  });

  it('of any other form belong to nobody elsewhere', () => {
    const ids = new SessionIds(() => 'self');
    const secret = 'x'.repeat(24);
    const hostile = [
      '', '.', secret, `.${secret}`, `a.${secret}x`, `a.${secret.slice(1)}`, `a..${secret}`, `a/b.${secret}`, `127.0.0.1:80.${secret}`, `a\r\nHost: b.${secret}`,
      `a.${secret}\r\n`, `a%2e${secret}`, `${'a'.repeat(65)}.${secret}`, `a.${'x'.repeat(100_000)}`, `a:6379.${secret}`, `[::1].${secret}`, `ä.${secret}`,
    ];
    expect(hostile.map((sid) => ids.foreignOwnerOf(sid)).filter((owner) => owner !== null)).toEqual([]);
    // Not the `binary` of fast-check, which takes seconds to make.
    const anyUnit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: anyUnit })), (sid) => {
        const owner = ids.foreignOwnerOf(sid);
        return owner === null || /^[A-Za-z0-9-]{1,64}$/.test(owner);
      }),
    );
  });
});

describe('the session id of a request', () => {
  it('is the one that the engine reads', () => {
    // As engine.io does it.
    const engineReads = (url: string): string | undefined => Object.fromEntries(new URL(url, 'https://socket.io').searchParams)['sid'];
    expect(sidOf('/socket.io/?sid=a&%73id=b&x=1')).toBe(engineReads('/socket.io/?sid=a&%73id=b&x=1'));
    const part = fc.constantFrom('sid', 'Sid', '%73id', 'sid[]', '=', '&', '#', '%', '+', '__proto__', 'a.b', '', '?', ';', '/', '%00', 'ü');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const url = `/socket.io/?${parts.join('')}`;
        const read = engineReads(url);
        expect(sidOf(url)).toBe(read === undefined || read === '' ? null : read);
      }),
      { numRuns: 2_000 },
    );
  });
});
