import { clientEventNames, clientEvents, isRefusalCode, refusals, serverEventNames } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiOf } from '../src/http/openapi.ts';
import { createServiceApi } from '../src/http/service-api.ts';
import { serviceRoutes } from '../src/http/service-routes.ts';
import { join, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { type Answer, callService, type CallOptions } from './_service-caller.ts';

let world: TestWorld;
let gateway: TestGateway;
let service: string;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
  service = await tokenFor('backend', { roles: ['service'] });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Every answer of every test here is compared with the document. */
const seen: { method: string; path: string; status: number; body: unknown }[] = [];

async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, options: CallOptions = {}): Promise<Answer> {
  const answer = await callService(gateway, method, path, { token: service, ...options });
  seen.push({ method: method.toLowerCase(), path: path.split('?')[0] ?? '', status: answer.status, body: answer.body });
  return answer;
}

describe('OpenAPI', () => {
  const document = openApiOf(serviceRoutes, '1') as { paths: Record<string, Record<string, { operationId: string; responses: Record<string, { content: { 'application/json': { schema: object } } }> }>> };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  const nameOf = (method: string, path: string): string => `${method} ${path}`;

  it('is what is served', async () => {
    const served = await fetch(`${gateway.url}/docs/openapi.json`);
    expect(served.headers.get('content-type')).toContain('application/json');
    expect(await served.json()).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('has an operation for every route of the server, and no other', () => {
    const { stack } = createServiceApi({} as never, []) as unknown as { stack: { route?: { path: string; methods: Record<string, boolean> } }[] };
    const routes = stack.flatMap(({ route }) => (route ? Object.keys(route.methods).map((method) => nameOf(method, route.path.replaceAll(/:(\w+)/g, '{$1}'))) : []));
    expect(routes.length).toBe(13);
    expect(operations.map(({ method, path }) => nameOf(method, path)).sort()).toEqual(routes.sort());
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(routes.length);
  });

  it('leads to the server: each operation is there, under its method only', async () => {
    for (const { method, path } of operations) {
      const address = path.replaceAll(/\{\w+\}/g, 'x');
      const own = operations.filter((each) => each.path === path).map((each) => each.method.toUpperCase());
      expect((await call(method.toUpperCase() as 'GET', address, { token: null })).status).toBe(401);
      for (const other of (['GET', 'POST', 'PUT', 'DELETE'] as const).filter((each) => !own.includes(each))) {
        expect((await call(other, address, { token: null })).status).toBe(404);
      }
    }
  });

  it('says what was answered, each time', async () => {
    using client = await join(gateway, 'p6');
    const asked = { to: { zone: 'meadow' }, event: 'app:gift', payload: {} };
    await call('POST', '/v1/emit', { body: asked });
    await call('POST', '/v1/emit', { body: { ...asked, to: { user: 'offline' }, ifOffline: 'mailbox' } });
    for (const body of [undefined, '{', { ...asked, to: 1 }, { ...asked, event: 'x' }, { ...asked, to: { all: true } }, { ...asked, payload: { text: 'x'.repeat(40_000) } }]) {
      await call('POST', '/v1/emit', body === undefined ? {} : { body });
    }
    for (const token of [null, 'nonsense', await tokenFor('p1'), await tokenFor('backend', { roles: ['service'], realm: 'elsewhere' })]) {
      await call('GET', '/v1/users/p6/online?realm=x', { token });
    }
    await call('GET', '/v1/users/p6/sockets');
    await call('GET', '/v1/users/p6/online');
    await call('GET', '/v1/rooms/none/members');
    await call('GET', '/v1/zones/a%20b/population');
    await call('GET', '/v1/zones/meadow/population');
    await call('GET', '/v1/rooms/zone%3Ameadow/members');
    await call('POST', '/v1/users/p6/disconnect', { body: { reason: 'maintenance' } });
    await eventually(() => !client.socket.connected, { timeoutMs: 10_000 });
    await call('POST', '/v1/users/p7/sanctions', { body: { kind: 'mute', reason: 'shouting', untilMs: Date.now() + 60_000 } });
    await call('POST', '/v1/users/p7/sanctions', { body: { kind: 'kick', reason: 'no end', untilMs: Date.now() + 60_000 } });
    await call('DELETE', '/v1/users/p7/sanctions/mute');
    await call('POST', '/v1/users/p7/logout-everywhere');
    await call('POST', '/v1/users/nobody/logout-everywhere');
    await call('PUT', '/v1/guilds/green', { body: { name: 'Green' } });
    await call('PUT', '/v1/guilds/green/members/p8', { body: { rank: 'officer' } });
    await call('PUT', '/v1/guilds/none/members/p8', { body: { rank: 'officer' } });
    await call('DELETE', '/v1/guilds/green/members/p8');
    await call('DELETE', '/v1/guilds/green/members/p8');
    await call('DELETE', '/v1/guilds/green');
    await call('DELETE', '/v1/guilds/green');
    const ajv = new Ajv2020({ strict: false });
    const checked = new Set<string>();
    for (const { method, path, status, body } of seen) {
      const found = operations.find((each) => each.method === method && new RegExp(`^${each.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path));
      if (!found) continue;
      const schema = found.operation.responses[String(status)]?.content['application/json'].schema;
      expect(schema, `${method} ${path} answers ${status}`).toBeDefined();
      expect(ajv.validate(schema!, body), `${method} ${path} ${status}: ${JSON.stringify(body)} ${ajv.errorsText()}`).toBe(true);
      checked.add(`${found.operation.operationId} ${status}`);
    }
    for (const { operationId, responses } of operations.map(({ operation }) => operation)) {
      expect([...checked]).toContain(`${operationId} ${responses['202'] ? 202 : 200}`);
    }
    expect(checked.size).toBeGreaterThan(13);
  }, 60_000);

  it('names refusals of the catalogue only, under their status', () => {
    for (const { operation } of operations) {
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['400', '401', '403', '429', '503']));
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const { properties } = content['application/json'].schema as { properties: { error?: { properties: { code: { enum: string[] } } } } };
        for (const code of properties.error?.properties.code.enum ?? []) {
          expect(isRefusalCode(code) && String(refusals[code].status)).toBe(status);
        }
      }
    }
  });
});

describe('AsyncAPI', () => {
  interface Message { name: string; payload: object }
  interface Operation { action: string; messages: { $ref: string }[]; reply?: { messages: { $ref: string }[] } }
  interface Document { asyncapi: string; channels: { realm: { messages: Record<string, Message> } }; operations: Record<string, Operation> }
  const load = async () => (await (await fetch(`${gateway.url}/docs/asyncapi.json`)).json()) as Document;
  const nameIn = ({ channels }: Document, { $ref }: { $ref: string }): string | undefined => channels.realm.messages[$ref.split('/').at(-1) ?? '']?.name;

  it('has every event of the contract in its direction, and no other', async () => {
    const document = await load();
    const named = (action: string) => Object.values(document.operations).filter((each) => each.action === action).map(({ messages }) => nameIn(document, messages[0]!));
    expect(document.asyncapi).toBe('3.0.0');
    expect(named('send').sort()).toEqual([...clientEventNames].sort());
    expect(named('receive').sort()).toEqual([...serverEventNames, 'app:<name>'].sort());
    for (const [key, { action, reply }] of Object.entries(document.operations)) {
      expect(reply?.messages.map(({ $ref }) => $ref)).toEqual(action === 'send' ? [`#/channels/realm/messages/${key.replace('send.', 'answer.')}`] : undefined);
      if (reply) expect(nameIn(document, reply.messages[0]!)).toBeDefined();
    }
  });

  it('takes the samples of the contract and refuses wrong ones', async () => {
    const { channels: { realm: { messages } } } = await load();
    const ajv = new Ajv2020({ strict: false });
    const valid = (key: string, value: unknown): boolean => ajv.validate(messages[key]!.payload, value);
    const chat = { commandId: 'c1', channel: { kind: 'zone', id: 'meadow' }, text: 'hello' };
    expect(valid('send.chat.send', chat)).toBe(true);
    expect(valid('send.chat.send', { ...chat, secret: 1 })).toBe(false);
    expect(valid('send.chat.send', { ...chat, channel: { kind: 'nowhere', id: 'x' } })).toBe(false);
    expect(valid('send.combat.start', { commandId: 'c1', opponents: ['c2'] })).toBe(true);
    expect(valid('send.combat.start', { commandId: 'c1', opponents: [1] })).toBe(false);
    expect(valid('send.presence.watch', { userIds: Array.from({ length: 101 }, () => 'p1') })).toBe(false);
    // Each schema is a valid one.
    for (const { payload } of Object.values(messages)) expect(() => ajv.compile(payload)).not.toThrow();
    expect(Object.keys(clientEvents)).toHaveLength(clientEventNames.length);
  });
});

describe('/docs', () => {
  it('shows the protocol document as it stands, and leads to the others', async () => {
    const document = await readFile(new URL('../PROTOCOL.md', import.meta.resolve('@skirmish/protocol')), 'utf8');
    const markdown = await fetch(`${gateway.url}/docs/protocol.md`);
    expect(markdown.headers.get('content-type')).toContain('text/markdown');
    expect(await markdown.text()).toBe(document);
    const page = await fetch(`${gateway.url}/docs`);
    expect(page.headers.get('content-type')).toContain('text/html');
    const html = await page.text();
    expect(html).toContain('The Skirmish protocol');
    expect(html).not.toContain('<realmId>');
    const links = [...html.matchAll(/href="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(links).toHaveLength(3);
    for (const link of links) expect((await fetch(`${gateway.url}${link}`)).status).toBe(200);
  });
});
