import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClientAddress, isAddressOrNetwork } from './client-address.ts';

const of = (trusted: readonly string[], remoteAddress: string | undefined, forwardedFor?: string | string[]): string =>
  createClientAddress(trusted)({ headers: { 'x-forwarded-for': forwardedFor }, socket: { remoteAddress } });

describe('the address of a client', () => {
  it('is the peer when that is no trusted proxy, whatever the header says', () => {
    expect(of([], '203.0.113.7', '1.2.3.4')).toBe('203.0.113.7');
    expect(of(['10.0.0.0/8'], '203.0.113.7', '1.2.3.4')).toBe('203.0.113.7');
  });

  it('is the last address that a trusted proxy did not write itself', () => {
    expect(of(['10.0.0.0/8'], '10.0.0.1', '198.51.100.9')).toBe('198.51.100.9');
    expect(of(['10.0.0.0/8'], '10.0.0.1', 'invented, 6.6.6.6, 198.51.100.9, 10.2.2.2')).toBe('198.51.100.9');
    expect(of(['10.0.0.0/8'], '::ffff:10.0.0.1', ['6.6.6.6', '198.51.100.9'])).toBe('198.51.100.9');
  });

  it('stops at what is no address', () => {
    expect(of(['127.0.0.0/8'], '127.0.0.1', '6.6.6.6, unknown')).toBe('127.0.0.1');
    expect(of(['127.0.0.0/8'], '127.0.0.1')).toBe('127.0.0.1');
    expect(of(['127.0.0.0/8'], undefined, '6.6.6.6')).toBe('unknown');
  });

  it('counts an IPv6 network of 64 bits as one client, in every spelling', () => {
    const spellings = ['2001:db8:0:1::1', '2001:DB8:0:1:ffff::', '[2001:0db8:0000:0001:0:0:0:9]', '2001:db8:0:1::5%eth0'];
    expect(new Set(spellings.map((text) => of(['::1'], '::1', text)))).toEqual(new Set(['2001:db8:0:1::/64']));
    expect(of([], '::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(of([], 'fe80::1')).toBe('fe80:0:0:0::/64');
  });

  it('never throws and never answers with text of the client', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (peer, header) => {
        expect(of(['0.0.0.0/0', '::/0'], peer, header)).toMatch(/^(?:unknown|[\d.]+|[\da-f:]+::\/64)$/);
      }),
    );
    fc.assert(fc.property(fc.ipV6(), (address) => /^[\da-f:]+::\/64$|^\d+\.\d+\.\d+\.\d+$/.test(of([], address))));
  });

  it.each(['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8'])('takes %s as a proxy', (text) => {
    expect(isAddressOrNetwork(text)).toBe(true);
  });

  it.each(['', 'proxy', '10.0.0.1/33', '10.0.0/8', '::1/129', '10.0.0.0/8/8', '10.0.0.0/', 'fe80::1%eth0'])('does not take %s', (text) => {
    expect(isAddressOrNetwork(text)).toBe(false);
  });
});
