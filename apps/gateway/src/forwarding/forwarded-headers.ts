import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** Headers of one connection only (RFC 9110, 7.6.1), and what the next hop decides anew. */
const hopByHop = new Set([
  'connection', 'expect', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
]);

type Headers = Record<string, string | string[]>;

/** What a hop passes on: everything but its own headers and those that `Connection` names. */
export function endToEndHeaders(headers: IncomingHttpHeaders): Headers {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !hopByHop.has(name) && !named.has(name));
  return Object.fromEntries(kept) as Headers;
}

/** The headers of a request for the owner: with the peer added to `X-Forwarded-For`. */
export function forwardedHeaders({ headers, socket }: IncomingMessage): Headers {
  const before = headers['x-forwarded-for'];
  const peer = socket.remoteAddress ?? 'unknown';
  return { ...endToEndHeaders(headers), 'x-forwarded-for': before === undefined ? peer : `${String(before)}, ${peer}` };
}
