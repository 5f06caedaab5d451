import { request } from 'node:http';
import { connect } from 'node:net';
import { isRefusalCode } from '@skirmish/protocol';

/** An answer as a client sees it; `code` is null for a success. */
export interface Outcome {
  readonly status: number;
  readonly code: string | null;
  readonly text: string;
}

/** Sends a path and a query as they are: percent escapes included, and whatever is broken in them. */
export function requestRaw(url: string, method: string, path: string, headers: Record<string, string>, body?: string): Promise<Outcome> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }) } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, code: codeIn(text), text }); });
    });
    outgoing.on('error', reject).end(body);
  });
}

/** Bytes over a connection of their own; resolves to what comes back until the server closes. */
export function sendBytes(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
    let text = '';
    socket.on('data', (chunk) => { text += chunk.toString('latin1'); });
    socket.on('error', () => undefined).on('close', () => { resolve(text); });
    socket.end(Buffer.from(bytes, 'utf8'));
  });
}

function codeIn(text: string): string | null {
  try {
    const body = JSON.parse(text) as { ok?: boolean; code?: string; error?: { code?: string } };
    return body.ok === true ? null : (body.error?.code ?? body.code ?? 'no code');
  } catch {
    return 'no JSON';
  }
}

/** What an answer may be: a success, or a refusal of the catalogue that blames nobody but the client. */
export const isSound = (code: string | null): boolean => code === null || (isRefusalCode(code) && code !== 'server/internal' && code !== 'server/unavailable');

/** A text within a URL: as bytes, halves of characters replaced. */
export const escaped = (text: string): string => encodeURIComponent(text.toWellFormed());

/** True for a text that can stand in a request line as it is. */
export const fitsRequestLine = (text: string): boolean => /^[\x21-\x7e]+$/.test(text) && !text.includes('#');
