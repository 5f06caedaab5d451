import { ask, type Asked, type HttpAnswer, upgradeHeaders } from './http-answers.ts';

/** A gateway as production has it, and what its audit may use. */
export interface Edge {
  readonly publicUrl: string;
  readonly internalUrl: string;
  /** An origin that is listed. */
  readonly origin: string;
  /** A token of a backend. */
  readonly serviceToken: string;
}

/** Something that a gateway is asked, and what is wrong with its answer: nothing, in the best case. */
export interface EdgeRule {
  readonly asks: Asked;
  /** Default: the public port. */
  readonly port?: 'internal';
  readonly judge: (answer: HttpAnswer, edge: Edge) => readonly (string | false)[];
}

const evilOrigin = 'https://evil.example.net';
const engine = '/socket.io/?EIO=4&transport=';
/** Of helmet, on whatever Express answers. */
const protective = ['content-security-policy', 'x-content-type-options', 'strict-transport-security', 'x-frame-options', 'referrer-policy', 'cross-origin-resource-policy', 'cross-origin-opener-policy'];
const traces = /\bat [^\s(]+ \(?(?:file:|node:|\/)|node_modules|\.ts:\d+|\/(?:apps|packages|src|dist)\/|ECONNREFUSED|postgres:\/\/|redis:\/\//;

/** Holds for every answer, wherever it comes from. */
function always({ headers, body, status }: HttpAnswer, path: string): (string | false)[] {
  return [
    'x-powered-by' in headers && `says what it is made of: x-powered-by: ${headers['x-powered-by'] ?? ''}`,
    'server' in headers && `has a banner: server: ${headers['server'] ?? ''}`,
    headers['access-control-allow-origin'] === '*' && 'lets every page read it (access-control-allow-origin: *)',
    headers['access-control-allow-credentials'] === 'true' && 'lets pages send cookies',
    headers['access-control-allow-origin'] === evilOrigin && 'lets a page of a foreign origin read it',
    // The documents are public, and full of paths.
    !path.startsWith('/docs') && traces.test(body) && `shows what is inside: ${traces.exec(body)?.[0] ?? ''}`,
    status >= 500 && status !== 503 && `fails with ${status}`,
  ];
}

const guarded = ({ headers }: HttpAnswer): (string | false)[] => protective.map((name) => !(name in headers) && `lacks the header ${name}`);
const isPrivate = ({ headers }: HttpAnswer): string | false => headers['cache-control'] !== 'no-store' && `may be cached (cache-control: ${headers['cache-control'] ?? 'none'})`;
const is = (wanted: number) => ({ status }: HttpAnswer): string | false => status !== wanted && `answers ${status}, not ${wanted}`;
const refuses = ({ status }: HttpAnswer): string | false => (status < 400 || status >= 500) && `answers ${status}, no refusal`;

/** What only the internal port may answer. */
const internalPaths = ['/metrics', '/log-level', '/loglevel', '/heap-snapshot', '/heapsnapshot', '/cpu-profile', '/profile', '/sessions', '/debug', '/config', '/env'];
const developmentPaths = ['/v1/dev/token', '/v1/dev/refresh', '/v1/dev', '/v1/dev/'];
const clientFiles = ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js', 'socket.io.js.map'];
const documents = ['/docs', '/docs/protocol.md', '/docs/asyncapi.json', '/docs/openapi.json'];
const json = { 'content-type': 'application/json' };

const express = (asks: Asked, ...judges: readonly ((answer: HttpAnswer) => string | false)[]): EdgeRule => ({ asks, judge: (answer) => [...guarded(answer), ...judges.map((judge) => judge(answer))] });
const anything = (asks: Asked, ...judges: readonly ((answer: HttpAnswer) => string | false)[]): EdgeRule => ({ asks, judge: (answer) => judges.map((judge) => judge(answer)) });

/** Every question that the audit asks. `token` is put in where a header says `<service>`, the listed origin where it says `<origin>`. */
export const edgeRules: readonly EdgeRule[] = [
  ...['/healthz', '/readyz', '/health'].map((path) => express({ path }, is(200), isPrivate)),
  ...documents.map((path) => express({ path }, is(200))),
  ...['/', '/no/such', '/%00', '/..%2f..%2fetc%2fpasswd', '/.env', '/.git/config', '/package.json', '/docs/../package.json'].map((path) => express({ path }, is(404), isPrivate)),
  express({ path: '/%' }, refuses, isPrivate),
  ...internalPaths.map((path) => express({ path, headers: { authorization: 'Bearer <service>' } }, is(404))),
  ...developmentPaths.flatMap((path) => [express({ path }, is(404)), express({ path, method: 'POST', headers: json, body: '{"userId":"p1","roles":["system"]}' }, is(404))]),
  ...['/v1/users/p1/online', '/v1/users/p1/sockets', '/v1/zones/meadow/population', '/v1/rooms/realm/members'].flatMap((path) => [
    express({ path }, is(401), isPrivate),
    express({ path, headers: { authorization: 'Bearer <service>' } }, is(200), isPrivate),
  ]),
  express({ path: '/v1/emit', method: 'POST', headers: json, body: '{' }, is(401), isPrivate),
  express({ path: '/v1/emit', method: 'POST', headers: { ...json, authorization: 'Bearer <service>' }, body: '{' }, is(400), isPrivate),
  express({ path: '/v1/emit', method: 'POST', headers: { ...json, authorization: 'Bearer <service>' }, body: `"${'x'.repeat(100_000)}"` }, is(413), isPrivate),
  express({ path: '/v1/emit', method: 'DELETE', headers: { authorization: 'Bearer <service>' } }, refuses),
  express({ path: '/healthz', method: 'TRACE' }, refuses),
  express({ path: '/healthz', headers: { origin: evilOrigin } }, ({ headers }) => 'access-control-allow-origin' in headers && 'lets a page of a foreign origin read it'),
  express({ path: '/healthz', headers: { origin: '<origin>' } }, ({ headers }) => !/\borigin\b/i.test(headers['vary'] ?? '') && 'does not say that it varies with the origin'),
  ...['polling', 'websocket'].flatMap((transport) => {
    const headers = transport === 'polling' ? {} : upgradeHeaders;
    const wanted = transport === 'polling' ? 200 : 101;
    return [
      anything({ path: `${engine}${transport}`, headers: { ...headers, origin: evilOrigin } }, is(403)),
      anything({ path: `${engine}${transport}`, headers: { ...headers, origin: 'null' } }, is(403)),
      anything({ path: `${engine}${transport}`, headers: { ...headers, origin: '<origin>' } }, is(wanted)),
      anything({ path: `${engine}${transport}`, headers }, is(wanted), isUncompressed, ({ body }) => !body.includes('"sid"') && 'opens no session'),
      anything({ path: `/socket.io/?EIO=3&transport=${transport}`, headers }, opensNothing),
    ];
  }),
  ...['jsonp', 'webtransport', 'flashsocket', '__proto__'].map((transport) => anything({ path: `${engine}${transport}` }, refuses)),
  ...clientFiles.map((file) => anything({ path: `/socket.io/${file}` }, refuses, ({ body }) => /socket\.io v\d|Manager/i.test(body) && 'serves a client')),
  anything({ path: '/socket.io/?EIO=4&transport=polling&sid=nobody' }, refuses),
  { port: 'internal', asks: { path: '/metrics' }, judge: (answer) => [is(200)(answer), isPrivate(answer), !/^skirmish_sockets/m.test(answer.body) && 'has no metrics'] },
  { port: 'internal', asks: { path: '/no/such' }, judge: (answer) => [is(404)(answer)] },
];

/** Engine.IO looks at the version after the upgrade: then it closes without a word. */
function opensNothing({ status, body }: HttpAnswer): string | false {
  return (status === 101 ? body.includes('"sid"') : status < 400 || status >= 500) && `opens a session (${status})`;
}

function isUncompressed({ headers }: HttpAnswer): string | false {
  return 'sec-websocket-extensions' in headers && 'offers compression, which costs memory for each connection';
}

/** The complaints about one rule, each with what was asked. */
export async function checkRule(edge: Edge, { asks, port, judge }: EdgeRule): Promise<string[]> {
  const headers = Object.fromEntries(Object.entries(asks.headers ?? {}).map(([name, value]) => [name, value.replace('<service>', edge.serviceToken).replace('<origin>', edge.origin)]));
  const what = `${asks.method ?? 'GET'} ${asks.path}${'origin' in headers ? ` from ${headers['origin'] ?? ''}` : ''}`;
  try {
    const answer = await ask(port === 'internal' ? edge.internalUrl : edge.publicUrl, { ...asks, headers });
    return [...always(answer, asks.path), ...judge(answer, edge)].flatMap((complaint) => (complaint === false ? [] : [`${what}: ${complaint}`]));
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
