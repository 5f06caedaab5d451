import { BlockList, isIP } from 'node:net';

/** What is read of a request. */
interface Asking {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/**
 * The address that limits count for a request: an IPv4 address, or the /64 network of an IPv6 address, since whoever has one
 * address of it has all of them. Never throws; `unknown` when the connection is gone.
 */
export type ClientAddress = (request: Asking) => string;

/** More hops than any real chain of proxies; what stands before them is not looked at. */
const hopsMax = 16;

/**
 * Reads `X-Forwarded-For` from the right, and only as far as trusted proxies wrote it: everything to the left of the first
 * address that is not one of them may be invented by the client.
 *
 * @param trusted addresses and networks (`10.0.0.0/8`) of the proxies in front of the gateways
 */
export function createClientAddress(trusted: readonly string[]): ClientAddress {
  const proxies = blockListOf(trusted);
  return ({ headers, socket }) => {
    let address = plain(socket.remoteAddress ?? '');
    if (address === null) return 'unknown';
    if (trusted.length === 0) return limitKeyOf(address);
    const hops = forwardedFor(headers).split(',').slice(-hopsMax);
    while (proxies.check(address, familyOf(address))) {
      const before = plain(hops.pop()?.trim() ?? '');
      if (before === null) break;
      address = before;
    }
    return limitKeyOf(address);
  };
}

/** Whether a text is an address or a network that {@link createClientAddress} takes. */
export function isAddressOrNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes('%')) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function blockListOf(trusted: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of trusted) {
    const [address = '', bits] = text.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6');

function forwardedFor(headers: Asking['headers']): string {
  const value = headers['x-forwarded-for'];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

const mappedV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** An address without brackets, zone and the IPv6 form of IPv4; null when it is none. */
function plain(text: string): string | null {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  const address = mappedV4.exec(bare)?.[1] ?? bare;
  return isIP(address) === 0 ? null : address;
}

function limitKeyOf(address: string): string {
  if (isIP(address) === 4) return address;
  // The URL parser writes every form of the same address in one way.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const whole = tail === undefined ? groups : [...groups, ...Array.from({ length: 8 - groups.length - rest.length }, () => '0'), ...rest];
  return `${whole.slice(0, 4).join(':')}::/64`;
}
