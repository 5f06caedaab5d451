/** Asks a gateway in development mode for a token of this user; rejects with the gateway's words when it refuses. */
export async function developmentToken(url: string, userId: string, timeoutMs = 20_000): Promise<string> {
  const response = await fetch(`${url}/v1/dev/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  const token = tokenIn(text);
  if (token === null) throw new Error(`no token for ${userId}: ${response.status} ${text.slice(0, 300)}`);
  return token;
}

/** The answer is the acknowledgement envelope. */
function tokenIn(text: string): string | null {
  const { data } = JSON.parse(text) as { data?: { token?: unknown } };
  return typeof data?.token === 'string' ? data.token : null;
}
