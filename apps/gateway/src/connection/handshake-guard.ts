import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RefusalCode, refusals, Rejection } from '@skirmish/protocol';

export interface HandshakeGuardOptions {
  /** Origins of pages that may connect; a request without an Origin comes from a native client and may as well. */
  readonly origins: readonly string[];
  /** Why no new connection is taken now, or null. Asked for each handshake, so it must be cheap. */
  readonly closedBecause: () => 'server/draining' | 'server/busy' | 'server/unavailable' | null;
  readonly onRefused: (code: RefusalCode) => void;
}

type AllowRequest = (request: IncomingMessage, decide: (error: string | null | undefined, allowed: boolean) => void) => void;

/**
 * Decides about each new Engine.IO session, over both transports, before anything is kept for it.
 *
 * Socket.IO's `cors` option does not protect: browsers send WebSocket handshakes from any page. And what a client should try
 * again has to be refused here, because clients repeat a failed handshake by themselves and a refused CONNECT never.
 */
export function createHandshakeGuard({ origins, closedBecause, onRefused }: HandshakeGuardOptions): AllowRequest {
  const allowed = new Set(origins);
  return (request, decide) => {
    const { origin } = request.headers;
    const code = origin !== undefined && !allowed.has(origin) ? 'auth/origin' : closedBecause();
    if (code === null) return decide(null, true);
    onRefused(code);
    refuseHandshake(request, code);
  };
}

/** Answers a handshake with the status of the refusal; Socket.IO itself would say 400 to every refused upgrade. */
function refuseHandshake(request: IncomingMessage & { res?: ServerResponse }, code: RefusalCode): void {
  const refusal = new Rejection(code).toRefusal();
  const body = JSON.stringify(refusal);
  const headers: Record<string, string | number> = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    Connection: 'close',
    ...(refusal.retryAfterMs === undefined ? {} : { 'Retry-After': Math.ceil(refusal.retryAfterMs / 1000) }),
  };
  // Engine.IO puts the response on the request of a poll; an upgrade has only its connection.
  if (request.res) request.res.writeHead(refusals[code].status, headers).end(body);
  else writeRaw(request.socket, refusals[code].status, headers, body);
}

const statusTexts: Readonly<Record<number, string>> = { 403: 'Forbidden', 503: 'Service Unavailable' };

function writeRaw(socket: Duplex, status: number, headers: Readonly<Record<string, string | number>>, body: string): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.on('error', () => socket.destroy());
  socket.end([`HTTP/1.1 ${status} ${statusTexts[status] ?? 'Refused'}`, ...lines, '', body].join('\r\n'));
}
