import type { TestGateway } from './_gateway.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { ok: boolean; data?: Record<string, unknown>; error?: { code: string; path?: string; retryAfterMs?: number } };
}

export interface CallOptions {
  /** null: none. */
  readonly token?: string | null;
  /** Text is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** One call of the service API, as a backend makes it. */
export async function callService(gateway: Pick<TestGateway, 'url'>, method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, { token = null, body, headers = {} }: CallOptions = {}): Promise<Answer> {
  const response = await fetch(`${gateway.url}${path}`, {
    method,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}
