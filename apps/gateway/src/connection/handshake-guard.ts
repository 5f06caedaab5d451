import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type RefusalCode, refusals, Rejection } from '@skirmish/protocol';
import type { Admission } from './admission.ts';
import type { ClientAddress } from './client-address.ts';

type EngineRequest = IncomingMessage & { readonly res?: ServerResponse | null };
type AllowRequest = (request: IncomingMessage, decide: (error: string | null | undefined, allowed: boolean) => void) => void;
type EngineMiddleware = (request: IncomingMessage, response: unknown, next: () => void) => void;

export interface HandshakeGuardOptions {
  /** Why no new connection is taken now, or null. Asked for each handshake, so it must be cheap. */
  readonly closedBecause: () => 'server/draining' | 'server/busy' | 'server/unavailable' | null;
  readonly admission: Admission;
  readonly addressOf: ClientAddress;
  readonly onRefused: (code: RefusalCode) => void;
}

/**
 * Decides about each new Engine.IO session, over both transports, before anything is kept for it.
 *
 * What a client should try again has to be refused here, because clients repeat a failed handshake by themselves and a
 * refused CONNECT never.
 */
export function createHandshakeGuard({ closedBecause, admission, addressOf, onRefused }: HandshakeGuardOptions): AllowRequest {
  const reasonAgainst = (request: IncomingMessage): Rejection | null => {
    const closed = closedBecause();
    if (closed === null) return admission.refuse(addressOf(request));
    return closed === 'server/busy' ? admission.busy(closed) : new Rejection(closed);
  };
  return (request, decide) => {
    const rejection = reasonAgainst(request);
    if (rejection === null) return decide(null, true);
    onRefused(rejection.code);
    refuseRequest(request, rejection);
  };
}

/**
 * Refuses every request of a page that is not listed: handshakes, and polls and upgrades of a session that exists. A request
 * without an Origin comes from a native client.
 *
 * Socket.IO's `cors` option does not protect: browsers send WebSocket handshakes from any page and only keep the answer of
 * another request from it.
 */
export function createOriginGuard(origins: readonly string[], onRefused: HandshakeGuardOptions['onRefused']): EngineMiddleware {
  const allowed = new Set(origins);
  return (request, _response, next) => {
    const { origin } = request.headers;
    if (origin === undefined || allowed.has(origin)) return next();
    onRefused('auth/origin');
    refuseRequest(request, new Rejection('auth/origin'));
  };
}

/** Answers with the status of the refusal; Socket.IO itself would say 400 to every refused upgrade. */
function refuseRequest(request: EngineRequest, rejection: Rejection): void {
  const refusal = rejection.toRefusal();
  const { status } = refusals[rejection.code];
  const body = JSON.stringify(refusal);
  const headers: Record<string, string | number> = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    Connection: 'close',
    ...(refusal.retryAfterMs === undefined ? {} : { 'Retry-After': Math.ceil(refusal.retryAfterMs / 1000) }),
  };
  // Engine.IO puts the response on the request of a poll; an upgrade has only its connection.
  if (request.res) request.res.writeHead(status, headers).end(body);
  else writeRaw(request.socket, status, headers, body);
}

const statusTexts: Readonly<Record<number, string>> = { 403: 'Forbidden', 429: 'Too Many Requests', 503: 'Service Unavailable' };

function writeRaw(socket: Socket, status: number, headers: Readonly<Record<string, string | number>>, body: string): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.on('error', () => socket.destroy());
  socket.end([`HTTP/1.1 ${status} ${statusTexts[status] ?? 'Refused'}`, ...lines, '', body].join('\r\n'));
  // The time limits of the HTTP server ended with the upgrade: a client that keeps its side open would stay for ever.
  socket.destroySoon();
}
