import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { edgeRules } from '../src/security/edge-rules.ts';
import { checkEdge } from '../src/security/headers.ts';

const servers: Server[] = [];
afterEach(() => { for (const server of servers.splice(0)) { server.closeAllConnections(); server.close(); } });

const helmets = {
  'content-security-policy': "default-src 'self'", 'x-content-type-options': 'nosniff', 'strict-transport-security': 'max-age=1', 'x-frame-options': 'SAMEORIGIN', 'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin', 'cross-origin-opener-policy': 'same-origin',
};
const end = (response: ServerResponse, status: number, more: Record<string, string> = {}, body = '{}'): void => { response.writeHead(status, { ...helmets, 'cache-control': 'no-store', vary: 'Origin', ...more }).end(body); };

/** The complaints about a server that answers so; upgrades are taken with the text, or refused with 400 where there is none. */
async function complaintsAbout(listener: RequestListener, opens?: string): Promise<string[]> {
  const server = createServer(listener);
  servers.push(server);
  if (opens !== undefined) server.on('upgrade', (_request, socket) => { socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n${opens}`); });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { findings, passed } = await checkEdge({ publicUrl: url, internalUrl: url, origin: 'https://game.example.com', serviceToken: 'x' }, new AbortController().signal);
  expect(passed).toBeLessThan(edgeRules.length);
  return findings;
}

const everything = (answer: (request: IncomingMessage, response: ServerResponse) => void): RequestListener => answer;

describe('a server', () => {
  it.each<[string, Record<string, string>, string]>([
    ['that says what it is made of', { 'x-powered-by': 'Express' }, 'x-powered-by: Express'],
    ['with a banner', { server: 'nginx/1.0' }, 'has a banner'],
    ['that every page may read', { 'access-control-allow-origin': '*' }, 'lets every page read it'],
    ['that an evil page may read', { 'access-control-allow-origin': 'https://evil.example.net' }, 'foreign origin'],
    ['that takes cookies of pages', { 'access-control-allow-credentials': 'true' }, 'cookies'],
    ['whose private answers may be kept', { 'cache-control': 'public' }, 'may be cached (cache-control: public)'],
    ['whose answers do not vary', { vary: 'Accept' }, 'varies with the origin'],
  ])('%s is found', async (_what, headers, words) => {
    expect(await complaintsAbout(everything((_request, response) => { end(response, 200, headers); }))).toContainEqual(expect.stringContaining(words));
  });

  it.each(Object.keys(helmets))('without %s is found', async (name) => {
    expect(await complaintsAbout(everything((_request, response) => { response.removeHeader(name); response.writeHead(200, Object.fromEntries(Object.entries(helmets).filter(([other]) => other !== name))).end(); }))).toContain(`GET /healthz: lacks the header ${name}`);
  });

  it.each([
    ['a stack', '{"stack":"Error: x\\n    at serve (file:///srv/app.js:1:1)"}'], ['a path', '{"file":"/srv/packages/redis/x"}'], ['a module', '{"m":"node_modules/pg"}'],
    ['an address', '{"e":"connect ECONNREFUSED 127.0.0.1:5432"}'], ['a database', '{"e":"postgres://u@h/d"}'],
  ])('that shows %s is found', async (_what, body) => {
    expect(await complaintsAbout(everything((_request, response) => { end(response, 404, {}, body); }))).toContainEqual(expect.stringContaining('GET /no/such: shows what is inside'));
  });

  it('that answers everything to everybody is found, for each thing that it should not answer', async () => {
    const findings = await complaintsAbout(everything((_request, response) => { end(response, 200, {}, '0{"sid":"a"} Socket.IO v4'); }), '0{"sid":"a"}');
    for (const what of [
      'GET /metrics: answers 200, not 404', 'GET /heap-snapshot: answers 200, not 404', 'GET /log-level: answers 200, not 404', 'POST /v1/dev/token: answers 200, not 404', 'POST /v1/dev/refresh: answers 200, not 404',
      'GET /v1/users/p1/online: answers 200, not 401', 'GET /socket.io/socket.io.js: serves a client', 'GET /socket.io/?EIO=3&transport=polling: opens a session (200)',
      'GET /socket.io/?EIO=3&transport=websocket: opens a session (101)', 'GET /socket.io/?EIO=4&transport=polling from https://evil.example.net: answers 200, not 403',
      'GET /socket.io/?EIO=4&transport=websocket from https://evil.example.net: answers 101, not 403', 'GET /socket.io/?EIO=4&transport=websocket: offers compression, which costs memory for each connection',
      'POST /v1/emit: answers 200, not 413', 'TRACE /healthz: answers 200, no refusal', 'GET /.env: answers 200, not 404', 'GET /metrics: has no metrics',
    ]) expect(findings).toContain(what);
  });

  it('that fails, or that is gone, is found', async () => {
    expect(await complaintsAbout(everything((_request, response) => { end(response, 500); }))).toContain('GET /: fails with 500');
    expect(await complaintsAbout(everything((request) => { request.socket.destroy(); }))).toContainEqual(expect.stringMatching(/^GET \/healthz: .*(hang up|RESET)/));
  });
});
