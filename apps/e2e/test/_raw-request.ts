import { request as httpRequest } from 'node:http';
import { eventually } from '@skirmish/testing';

/** A POST whose body is not finished. */
export interface OpenPost {
  /** Resolves when the request is over, answered or broken. */
  over(): Promise<void>;
  destroy(): void;
}

/** Sends the head and the first piece of a body and leaves it there, on a connection of its own. */
export async function openPost(url: string, piece: string): Promise<OpenPost> {
  let over = false;
  const end = (): void => { over = true; };
  const post = httpRequest(url, { method: 'POST', agent: false, headers: { 'transfer-encoding': 'chunked' } }, (response) => { response.resume().on('close', end); });
  post.on('error', end).on('close', end);
  await new Promise<void>((resolve) => { post.write(piece, () => { resolve(); }); });
  return {
    over: () => eventually(() => over, { timeoutMs: 10_000, what: 'the end of the open post' }).then(() => undefined),
    destroy: () => { post.destroy(); },
  };
}
