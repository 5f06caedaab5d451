import type { SocketWithAuth } from './session.ts';

type Handshake = SocketWithAuth['handshake'];

/**
 * The token of a connection: from `auth.token`, else the query parameter `token` where it is read at all, else `Authorization: Bearer`.
 * Addresses end up in the logs of whatever stands in between, so an installation whose clients need no query takes none from there.
 */
export function tokenIn({ auth, query, headers }: Handshake, { inQuery }: { readonly inQuery: boolean }): unknown {
  if (isGiven(auth['token'])) return auth['token'];
  if (inQuery && isGiven(query['token'])) return Array.isArray(query['token']) ? query['token'][0] : query['token'];
  return /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

const deviceLengthMax = 64;

/** What the client calls its device, for lists of a user's connections. */
export function deviceIn({ auth, headers }: Handshake): string {
  const device: unknown = auth['device'];
  const name = typeof device === 'string' && device !== '' ? device : (headers['user-agent'] ?? 'unknown');
  return name.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, deviceLengthMax);
}

/** Protocol version that the client speaks; null when it does not say. */
export function protocolIn({ auth }: Handshake): number | null {
  const version: unknown = auth['protocol'];
  return typeof version === 'number' ? version : null;
}

/** Whether the client asked to resume an earlier session. */
export function triesToResume({ auth }: Handshake): boolean {
  return typeof auth['pid'] === 'string' && typeof auth['offset'] === 'string';
}

/**
 * Leaves nothing secret in the handshake: requests between gateways carry it whole, and it stays in memory as long as the
 * socket. Query and headers belong to the connection, so they are replaced and not changed.
 */
export function scrubHandshake(handshake: Handshake): void {
  const userAgent = handshake.headers['user-agent'];
  handshake.auth = {};
  handshake.query = {};
  handshake.headers = userAgent === undefined ? {} : { 'user-agent': userAgent };
  handshake.url = handshake.url.split('?', 1)[0] ?? '';
}
