import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP, isIPv4 } from 'node:net';

/** Addresses that are nobody's in the public internet: this host, private and link-local networks (cloud metadata among them), multicast, documentation. */
const closed = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.0.2.0', 24],
  ['192.168.0.0', 16], ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24], ['224.0.0.0', 3],
] as const) closed.addSubnet(network, bits, 'ipv4');
/** Of IPv6 only what is given out for the public internet is open, without what carries an IPv4 address in it. */
const open6 = new BlockList();
open6.addSubnet('2000::', 3, 'ipv6');
for (const [network, bits] of [['2001::', 32], ['2001:db8::', 32], ['2002::', 16]] as const) closed.addSubnet(network, bits, 'ipv6');

/** True for an IP address that is not of the public internet, and for text that is no address. */
export function isPrivateAddress(address: string): boolean {
  if (isIPv4(address)) return closed.check(address, 'ipv4');
  if (isIP(address) === 0) return true;
  return !open6.check(address, 'ipv6') || closed.check(address, 'ipv6');
}

/** What is left of the addresses of a host: one that answers with both kinds is reached by its public ones only. */
export const onlyPublic = (addresses: readonly LookupAddress[]): LookupAddress[] => addresses.filter(({ address }) => !isPrivateAddress(address));

/** The host of a URL as an address, without the brackets of IPv6. */
export const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/** Why a connection was refused; its message names no address. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError';
}

type Answer = (error: Error | null, address?: string | LookupAddress[], family?: number) => void;

/** A `lookup` for connections that answers public addresses only: what is connected to is what was checked. */
export function lookupPublic(hostname: string, options: LookupOptions, answer: Answer): void {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return answer(error);
    const open = onlyPublic(addresses);
    const [first] = open;
    if (!first) return answer(new PrivateAddressError('the host has no public address'));
    if (options.all === true) answer(null, open);
    else answer(null, first.address, first.family);
  });
}
