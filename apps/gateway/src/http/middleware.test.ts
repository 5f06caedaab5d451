import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger } from '@skirmish/observability';
import express, { json } from 'express';
import { expect, it } from 'vitest';
import { createErrorHandler } from './middleware.ts';

it('our own mistakes are logged without the body that they happened over, and answered without anything of them', async () => {
  const lines: string[] = [];
  const logger = createLogger({ name: 'test', level: 'trace', destination: { write: (line) => void lines.push(line) } });
  const app = express();
  app.post('/', json(), (request) => {
    const { text } = request.body as { text: string };
    throw new TypeError(`cannot take ${text}`, { cause: new Error(JSON.stringify(request.body)) });
  });
  app.use(createErrorHandler(logger));
  const server = createServer(app);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', connection: 'close' }, body: JSON.stringify({ text: 'hush "hush"' }) });
  expect([response.status, await response.json()]).toMatchObject([503, { ok: false, error: { code: 'server/internal' } }]);
  await new Promise((resolve) => { server.close(resolve); });
  expect(lines.join('')).toContain('cannot take [payload]');
  expect(lines.join('')).not.toContain('hush');
});
