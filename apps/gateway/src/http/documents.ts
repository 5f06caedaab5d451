import { readFile } from 'node:fs/promises';
import { protocolVersion, Rejection } from '@skirmish/protocol';
import { Router } from 'express';
import { asyncApiOf } from './asyncapi.ts';
import { openApiOf } from './openapi.ts';
import { serviceRoutes } from './service-routes.ts';

const cacheControl = 'public, max-age=300';

/** `/docs`: the protocol document for people, and AsyncAPI and OpenAPI for tools; made once, on the first request. */
export function createDocuments(): Router {
  const version = String(protocolVersion);
  const protocol = once(readProtocol);
  const asyncApi = once(() => JSON.stringify(asyncApiOf(version)));
  const openApi = once(() => JSON.stringify(openApiOf(serviceRoutes, version)));
  const router = Router();
  router.get('/', async (_request, response) => { response.set('cache-control', cacheControl).type('html').send(pageOf(await protocol())); });
  router.get('/protocol.md', async (_request, response) => { response.set('cache-control', cacheControl).type('text/markdown').send(await protocol()); });
  router.get('/asyncapi.json', (_request, response) => { response.set('cache-control', cacheControl).type('json').send(asyncApi()); });
  router.get('/openapi.json', (_request, response) => { response.set('cache-control', cacheControl).type('json').send(openApi()); });
  return router;
}

/** Beside the package's code, in the sources and in a build alike. */
async function readProtocol(): Promise<string> {
  const place = new URL('../PROTOCOL.md', import.meta.resolve('@skirmish/protocol'));
  return readFile(place, 'utf8').catch((cause: unknown) => { throw new Rejection('http/not-found', { cause }); });
}

const links = ['/docs/protocol.md', '/docs/asyncapi.json', '/docs/openapi.json'];

/** The document as it is written; a renderer would be a dependency for the sake of bold print. */
function pageOf(markdown: string): string {
  const list = links.map((link) => `<a href="${link}">${link}</a>`).join(' · ');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Skirmish protocol</title><p>${list}</p><pre style="white-space: pre-wrap">${escapeHtml(markdown)}</pre></html>\n`;
}

const marks: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escapeHtml = (text: string): string => text.replaceAll(/[&<>]/g, (mark) => marks[mark] ?? mark);

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
