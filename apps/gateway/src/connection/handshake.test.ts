import { describe, expect, it } from 'vitest';
import { deviceIn, protocolIn, scrubHandshake, tokenIn, triesToResume } from './handshake.ts';
import type { SocketWithAuth } from './session.ts';

type Handshake = SocketWithAuth['handshake'];
const handshake = (parts: Partial<Handshake>): Handshake => ({ auth: {}, query: {}, headers: {}, url: '/', ...parts }) as Handshake;

describe('a handshake', () => {
  it('names its device in printable characters, 64 at most', () => {
    expect(deviceIn(handshake({ auth: { device: 'phone' } }))).toBe('phone');
    expect(deviceIn(handshake({ headers: { 'user-agent': `Game\u202e/1 ${'x'.repeat(100)}` } }))).toBe(`Game?/1 ${'x'.repeat(56)}`);
    expect(deviceIn(handshake({ auth: { device: 7 } }))).toBe('unknown');
  });

  it('says its protocol version, or nothing', () => {
    expect(protocolIn(handshake({ auth: { protocol: 1 } }))).toBe(1);
    expect(protocolIn(handshake({ auth: { protocol: '1' } }))).toBeNull();
  });

  it('tries to resume only with both strings', () => {
    expect(triesToResume(handshake({ auth: { pid: 'a', offset: '1-1' } }))).toBe(true);
    expect(triesToResume(handshake({ auth: { pid: 'a' } }))).toBe(false);
    expect(triesToResume(handshake({ auth: { pid: 'a', offset: {} } }))).toBe(false);
  });

  it('gives the first of several tokens in the query, and none from another scheme', () => {
    expect(tokenIn(handshake({ query: { token: ['a', 'b'] } }), { inQuery: true })).toBe('a');
    expect(tokenIn(handshake({ headers: { authorization: 'bearer abc' } }), { inQuery: true })).toBe('abc');
    expect(tokenIn(handshake({ headers: { authorization: 'Basic abc' } }), { inQuery: true })).toBeUndefined();
  });

  it.each([
    [true, { auth: { token: 'a' }, query: { token: 'q' }, headers: { authorization: 'Bearer b' } }, 'a'],
    [true, { auth: { token: '' }, query: { token: 'q' }, headers: { authorization: 'Bearer b' } }, 'q'],
    [true, { query: { token: '' }, headers: { authorization: 'Bearer b' } }, 'b'],
    [false, { auth: { token: 'a' }, query: { token: 'q' } }, 'a'],
    [false, { query: { token: 'q' }, headers: { authorization: 'Bearer b' } }, 'b'],
    [false, { query: { token: 'q' } }, undefined],
  ])('[CON3] with the query read: %s, takes of %j the token %s', (inQuery, parts, expected) => {
    expect(tokenIn(handshake(parts), { inQuery })).toBe(expected);
  });

  it('is emptied of everything secret, without touching the objects of the connection', () => {
    const headers = { authorization: 'Bearer t', cookie: 'c', 'user-agent': 'ua' };
    const query = { token: 't' };
    const scrubbed = handshake({ auth: { token: 't' }, headers, query, url: '/socket.io/?token=t' });
    scrubHandshake(scrubbed);
    expect(scrubbed).toMatchObject({ auth: {}, query: {}, headers: { 'user-agent': 'ua' }, url: '/socket.io/' });
    expect(headers.authorization).toBe('Bearer t');
    expect(query.token).toBe('t');
  });
});
