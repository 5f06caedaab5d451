import { createHmac } from 'node:crypto';

const prefix = 'whsec_';
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** The key of a secret: what stands in base64 after `whsec_`, as the libraries of Standard Webhooks have it, else the bytes of the text itself. */
export function keyOfSecret(secret: string): Buffer {
  const encoded = secret.slice(prefix.length);
  return secret.startsWith(prefix) && base64.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.from(secret);
}

/** The headers of one attempt. `id` has no full stop, so what is signed can be divided in one way only. */
export function signedHeaders(key: Buffer, { id, atMs, body }: { readonly id: string; readonly atMs: number; readonly body: string }): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
