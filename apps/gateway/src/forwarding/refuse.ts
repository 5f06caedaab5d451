import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type RefusalCode, refusals, Rejection } from '@skirmish/protocol';
import type { AddCors } from '../http/socket-cors.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
}

/** Refuses a request that cannot be passed on. The connection ends with it: the rest of a body is not read. */
export function refuseRequest(request: IncomingMessage, response: ServerResponse, code: RefusalCode, addCors: AddCors): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, headers, body } = answerTo(code);
  addCors(request, response, () => response.writeHead(status, headers).end(body));
}

/** Refuses an upgrade: what is left of the connection is written by hand. */
export function refuseUpgrade(client: Socket, code: RefusalCode): void {
  const { status, headers, body } = answerTo(code);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  client.end([`HTTP/1.1 ${status} Refused`, ...lines, '', body].join('\r\n'));
  client.destroySoon();
}

function answerTo(code: RefusalCode): Answer {
  const refusal = new Rejection(code).toRefusal();
  const body = JSON.stringify(refusal);
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    Connection: 'close',
    ...(refusal.retryAfterMs === undefined ? {} : { 'Retry-After': Math.ceil(refusal.retryAfterMs / 1000) }),
  };
  return { status: refusals[code].status, headers, body };
}
