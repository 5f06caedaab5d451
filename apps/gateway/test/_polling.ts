import { type Agent, type IncomingHttpHeaders, request } from 'node:http';

/** One answer of a gateway, raw. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

/** Sends one request on a connection of its own and resolves to the whole answer; rejects when the connection breaks. */
export function ask(url: string, { method = 'GET', body, headers = {}, agent, signal }: RawRequest = {}): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, headers, agent: agent ?? false, ...(signal === undefined ? {} : { signal }) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const whole = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole, text: whole.toString() });
      });
    });
    asking.once('error', reject);
    asking.end(body);
  });
}

export const engineUrl = (gatewayUrl: string, sid?: string, transport = 'polling'): string =>
  `${gatewayUrl}/socket.io/?EIO=4&transport=${transport}${sid === undefined ? '' : `&sid=${encodeURIComponent(sid)}`}`;

/** Begins an Engine.IO session and resolves to its id. */
export async function openSession(gatewayUrl: string): Promise<string> {
  const { status, text } = await ask(engineUrl(gatewayUrl));
  if (status !== 200) throw new Error(`the handshake was answered with ${status} ${text}`);
  return (JSON.parse(text.slice(1)) as { sid: string }).sid;
}

/** Begins a session and joins the realm as a user; the welcome is read. */
export async function joinByPolling(gateway: { readonly url: string; readonly realm: string }, token: string): Promise<string> {
  const sid = await openSession(gateway.url);
  await ask(engineUrl(gateway.url, sid), { method: 'POST', body: `40/realm/${gateway.realm},${JSON.stringify({ token })}` });
  let heard = '';
  while (!heard.includes('session:welcome')) heard += (await ask(engineUrl(gateway.url, sid))).text;
  return sid;
}
