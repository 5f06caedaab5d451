import { request as httpRequest } from 'node:http';

/** An answer as its bytes say it; header names are in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const timeoutMs = 20_000;
const bodyCharsMax = 1_000_000;

/** One request over a connection of its own; the body of an upgrade is what the server sends first, empty when it only closes. Rejects after 20 s. */
export function ask(baseUrl: string, { method = 'GET', path, headers = {}, body }: Asked): Promise<HttpAnswer> {
  const { hostname, port } = new URL(baseUrl);
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = httpRequest({ hostname, port, method, path, headers: { ...length, ...headers }, agent: false, timeout: timeoutMs });
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text = (text + chunk).slice(0, bodyCharsMax);
      });
      response.on('error', reject).on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: textsOf(response.headers), body: text });
      });
    });
    request.on('upgrade', (response, socket, head) => {
      let text = head.toString('latin1');
      const finish = (): void => {
        socket.destroy();
        resolve({ status: 101, headers: textsOf(response.headers), body: text });
      };
      socket.on('error', finish).on('close', finish).on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        finish();
      });
      if (text !== '') finish();
    });
    request.on('timeout', () => request.destroy(new Error(`${method} ${path} was not answered within ${timeoutMs} ms`)));
    request.on('error', reject).end(body);
  });
}

const textsOf = (headers: NodeJS.Dict<string | string[]>): Record<string, string> => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]));

/** The header lines of a WebSocket handshake. */
export const upgradeHeaders: Readonly<Record<string, string>> = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
