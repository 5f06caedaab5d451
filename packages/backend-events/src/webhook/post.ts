import { Agent as HttpAgent, request as requestPlain, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as requestSecure } from 'node:https';
import { isIP } from 'node:net';
import { bareHost, isPrivateAddress, lookupPublic, PrivateAddressError } from './private-addresses.ts';

/** How one attempt ended. `gone` is 410: the receiver wants no more. `stopped`: we did not wait for the end. */
export type Posted = { readonly kind: 'accepted' } | { readonly kind: 'gone' } | { readonly kind: 'stopped' } | { readonly kind: 'failed'; readonly why: 'status' | 'time' | 'network' | 'address'; readonly status?: number };

export interface PosterOptions {
  readonly url: URL;
  readonly privateAddresses: boolean;
  readonly timeoutMs: number;
  readonly connectionsMax: number;
}

export interface Poster {
  /** Never rejects. Follows no redirect, reads at most 16 KiB of the answer, and ends within the time limit. */
  post(this: void, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Posted>;
  close(this: void): void;
}

const answerBytesMax = 16 * 1024;

/** Posts to one address over kept connections. */
export function createPoster({ url, privateAddresses, timeoutMs, connectionsMax }: PosterOptions): Poster {
  const secure = url.protocol === 'https:';
  const host = bareHost(url);
  const closed = !privateAddresses && isIP(host) !== 0 && isPrivateAddress(host);
  const settings = { keepAlive: true, maxSockets: connectionsMax, maxFreeSockets: 1 };
  const agent = secure ? new HttpsAgent(settings) : new HttpAgent(settings);
  const lookup = privateAddresses ? {} : { lookup: lookupPublic as NonNullable<RequestOptions['lookup']> };
  const open = (headers: Record<string, string>) => (secure ? requestSecure : requestPlain)(url, { method: 'POST', agent, headers, ...lookup });

  return {
    post: (headers, body, signal) => {
      if (closed) return Promise.resolve({ kind: 'failed', why: 'address' });
      if (signal.aborted) return Promise.resolve({ kind: 'stopped' });
      return exchange(open({ ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }), body, signal, timeoutMs);
    },
    close: () => { agent.destroy(); },
  };
}

async function exchange(request: ReturnType<typeof requestPlain>, body: string, signal: AbortSignal, timeoutMs: number): Promise<Posted> {
  const { promise: ended, resolve } = Promise.withResolvers<undefined>();
  let posted: Posted = { kind: 'failed', why: 'network' };
  const stop = (): void => {
    if (posted.kind === 'failed' && posted.why === 'network') posted = { kind: 'stopped' };
    request.destroy();
  };
  const timer = setTimeout(() => {
    if (posted.kind === 'failed' && posted.why === 'network') posted = { kind: 'failed', why: 'time' };
    request.destroy();
  }, timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  request.on('error', (error) => {
    if (error instanceof PrivateAddressError) posted = { kind: 'failed', why: 'address' };
  });
  request.on('response', (response) => {
    posted = judge(response.statusCode ?? 0);
    let bytes = 0;
    response.on('error', () => undefined);
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > answerBytesMax) request.destroy();
    });
  });
  request.on('close', () => { resolve(undefined); });
  request.end(body);
  await ended;
  clearTimeout(timer);
  signal.removeEventListener('abort', stop);
  return posted;
}

function judge(status: number): Posted {
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  return status === 410 ? { kind: 'gone' } : { kind: 'failed', why: 'status', status };
}
