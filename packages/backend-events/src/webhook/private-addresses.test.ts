import { expect, it } from 'vitest';
import { bareHost, isPrivateAddress, onlyPublic } from './private-addresses.ts';

it.each([
  '127.0.0.1', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '198.18.0.1',
  '::', '::1', 'fe80::1', 'fc00::1', 'fd12::1', 'ff02::1', '::ffff:10.0.0.1', '::ffff:8.8.8.8', '64:ff9b::7f00:1', '2001:db8::1', '2002:7f00:1::', 'host', '',
])('%s is private', (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});

it.each(['8.8.8.8', '172.32.0.1', '172.15.0.1', '100.128.0.1', '192.169.0.1', '2606:4700::1111', '2a00:1450::1'])('%s is public', (address) => {
  expect(isPrivateAddress(address)).toBe(false);
});

it('reads the host of a URL as an address, however it is written', () => {
  expect(['http://[::1]:1/', 'http://0x7f.1/', 'http://2130706433/', 'http://a.example/'].map((url) => bareHost(new URL(url)))).toEqual(['::1', '127.0.0.1', '127.0.0.1', 'a.example']);
});

it('leaves the public addresses of a host that answers with both kinds', () => {
  const answers = ['10.0.0.1', '8.8.8.8', '::1', '2606:4700::1111', '169.254.169.254'].map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  expect(onlyPublic(answers).map(({ address }) => address)).toEqual(['8.8.8.8', '2606:4700::1111']);
  expect(onlyPublic(answers.slice(0, 1))).toEqual([]);
});
