import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Hook {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly body: string;
  readonly method: string;
  readonly atMs: number;
}

/** A receiver of webhooks that keeps everything and answers what it is told to. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly hooks: Hook[];
  /** Decides on each request; default 204. */
  answer: (hook: Hook, response: ServerResponse) => void;
  ids(): string[];
}

export async function startReceiver(port = 0): Promise<Receiver> {
  const hooks: Hook[] = [];
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      const header = (name: string): string => String(request.headers[`webhook-${name}`] ?? '');
      const hook: Hook = { id: header('id'), timestamp: header('timestamp'), signature: header('signature'), body, method: request.method ?? '', atMs: performance.now() };
      hooks.push(hook);
      receiver.answer(hook, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    hooks,
    answer: (_hook, response) => { response.writeHead(204).end(); },
    ids: () => hooks.map(({ id }) => id),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return receiver;
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
