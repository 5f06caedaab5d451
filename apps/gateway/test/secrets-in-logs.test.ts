import { randomUUID } from 'node:crypto';
import { signRefreshToken, signToken } from '@skirmish/auth';
import { PlayerChanges } from '@skirmish/emitter';
import { createLogger } from '@skirmish/observability';
import { defaultRateOf, type RealmId, Rejection, type UserId, type ZoneId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, startRedis, startTcpProxy, type TcpProxy, uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { events } from '../src/connection/events.ts';
import { anyone } from '../src/connection/event-row.ts';
import { type Client, clientOf, connected, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';
import { type GatewayProcess, startGatewayProcess } from './_gateway-process.ts';
import { ask, engineUrl } from './_polling.ts';
import { openRaw } from './_raw-websocket.ts';

/** Everything that must appear nowhere carries this, or is a token. */
const mark = 'MARKED';
const jwtSecret = `${mark}-jwt-secret-that-is-long-enough-0123456789`;
const redisPassword = `${mark}-redis-password`;
const databasePassword = `${mark}-database-password`;
const text = (what: string): string => `${mark} ${what} "quoted"\nand a line`;
/** [ACK7] A refusal may name a field; one that no schema could have is the caller's own. */
const field = `${mark} field`;
const channel = { kind: 'zone', id: 'meadow' };

/** Whatever was a token in this file. */
const tokens: string[] = [];
async function tokenOf(userId: string, more: Partial<Parameters<typeof signToken>[0]> = {}): Promise<string> {
  const { token } = await signToken({ secret: jwtSecret, serviceAudience: 'skirmish-service', userId, ttlSeconds: 600, ...more });
  tokens.push(token);
  return token;
}
async function refreshTokenOf(userId: string): Promise<string> {
  const { token } = await signRefreshToken({ secret: jwtSecret, userId, ttlSeconds: 600, familyId: randomUUID(), tokenId: randomUUID() });
  tokens.push(token);
  return token;
}

/** No mark, no token, and of a token neither its claims nor its signature. */
function expectNoSecret(what: string, output: string): void {
  const secrets = [mark, ...tokens.flatMap((token) => [token, ...token.split('.').slice(1)])];
  for (const secret of secrets) {
    const at = output.indexOf(secret);
    expect([what, at === -1 ? null : output.slice(Math.max(0, at - 200), at + 100)]).toEqual([what, null]);
  }
}

let world: TestWorld;
let redis: Awaited<ReturnType<typeof startRedis>>;
let postgres: TcpProxy;
let env: Record<string, string>;
const realm = uniqueRealm();
beforeAll(async () => {
  world = await startWorld();
  redis = await startRedis({ appendOnly: false });
  const admin = createRedis({ url: redis.url, name: 'test', role: 'command' });
  await whenReady(admin);
  await admin.config('SET', 'requirepass', redisPassword);
  admin.disconnect();
  const databaseUrl = new URL(world.databaseUrl);
  postgres = await startTcpProxy({ targetPort: Number(databaseUrl.port) });
  databaseUrl.port = String(postgres.port);
  databaseUrl.password = databasePassword;
  // Two processes, of which one that stands still for a second is not taken for dead.
  env = { REDIS_URL: redis.url.replace('//', `//:${redisPassword}@`), DATABASE_URL: databaseUrl.href, JWT_SECRET: jwtSecret, REALMS: realm, LOG_LEVEL: 'trace', RATE_LIMIT_SCALE: '100', RENEW_INTERVAL_MS: '1000' };
});
afterAll(async () => {
  await postgres.close();
  await redis.stop();
  await world[Symbol.asyncDispose]();
});

interface Reached {
  readonly url: string;
  readonly realm: string;
}

/** Tokens good and bad, in each of the three places, over both transports. */
async function connectInAllWays(to: Reached, answers: string[]): Promise<void> {
  const bad = [`${mark}.no.jwt`, `${mark}${'x'.repeat(9_000)}`, await tokenOf('p1', { secret: `${jwtSecret}-of-another` }), await tokenOf('p1', { ttlSeconds: -60 }), await tokenOf('p1', { realm: 'elsewhere' }), await refreshTokenOf('p1'), await tokenOf('nobody')];
  for (const token of [await tokenOf('p1'), ...bad]) {
    const ways = [[{ token }, {}], ...(token.length > 5_000 ? [] : [[{}, { query: { token } }], [{}, { extraHeaders: { authorization: `Bearer ${token}`, cookie: `token=${token}` } }]])] as const;
    for (const [auth, options] of ways) {
      for (const transports of [['websocket'], ['polling']]) {
        using client = clientOf(to, { ...auth, device: 'phone' }, { transports, ...options });
        const outcome = await connected(client).then(() => 'connected', (error: unknown) => JSON.stringify([String(error), (error as { data?: unknown }).data]));
        answers.push(outcome);
      }
    }
  }
}

/** What a connected client can do wrong with tokens and texts. */
async function misbehave(client: Client, answers: string[]): Promise<void> {
  const payloads: readonly (readonly [string, unknown])[] = [
    ['session:refresh', { token: await tokenOf('p2', { ttlSeconds: 700 }) }], ['session:refresh', { token: await tokenOf('p3') }], ['session:refresh', { token: await refreshTokenOf('p2') }],
    ['session:refresh', { token: `${mark}.a.b` }], ['session:refresh', { token: [mark] }], ['session:refresh', { token: mark, more: mark }], ['session:refresh', mark],
    ['chat:send', { commandId: 'good', channel, text: text('chat') }], ['chat:send', { commandId: mark + ' not an id', channel, text: text('chat') }],
    ['chat:send', { commandId: 'long', channel, text: mark.repeat(500) }], ['chat:send', { commandId: 'far', channel: { kind: 'zone', id: 'elsewhere' }, text: text('chat') }],
    ['chat:send', { commandId: 'nul', channel, text: `${mark}\0` }], ['no:such', { text: text('unknown') }], ['combat:start', { commandId: 'c', opponents: [mark] }],
  ];
  for (const [event, payload] of payloads) answers.push(JSON.stringify(await client.ask(event, payload)));
}

/** Frames and requests that no client library sends. */
async function malform({ url, realm: name }: Reached, answers: string[]): Promise<void> {
  const token = await tokenOf('p4');
  const frames = [`42/realm/${name},["chat:send",{"text":"${mark}`, `4${mark}`, `40/${mark},{"token":"${token}"}`, `451-/realm/${name},["chat:send",{"text":"${mark}"}]`, mark];
  for (const frame of frames) {
    using raw = await openRaw(url);
    raw.send(`40/realm/${name},{"token":"${token}"}`);
    await raw.hears('session:welcome');
    raw.send(frame);
    raw.send(`42/realm/${name},7["session:ping",{"atMs":1}]`);
    await eventually(() => raw.isClosed() || raw.frames.some((each) => each.startsWith('close') || each.includes('"atMs":1')));
    answers.push(...raw.frames);
  }
  const query = `&token=${token}`;
  answers.push((await ask(`${engineUrl(url)}${query}`, { headers: { origin: `https://${mark.toLowerCase()}.example.com` } })).text, (await ask(`${engineUrl(url, 'unknown')}${query}`)).text);
  answers.push((await ask(`${url}/socket.io/?EIO=2${query}`)).text, (await ask(`${engineUrl(url, 'unknown')}${query}`, { method: 'POST', body: mark })).text);
}

/** HTTP: tokens, bodies and addresses that are wrong. */
async function callWrongly({ url }: Reached, answers: string[]): Promise<void> {
  const service = await tokenOf('backend', { roles: ['service'] });
  const calls: readonly (readonly [string, string | null, unknown])[] = [
    ['/v1/dev/token', null, { userId: 'p5' }], ['/v1/dev/token', null, { userId: 'p5', [field]: mark }], ['/v1/dev/token', null, `{"userId":"${mark}`],
    ['/v1/dev/refresh', null, { refreshToken: mark }], ['/v1/dev/refresh', null, { refreshToken: await refreshTokenOf('p5') }], ['/v1/dev/refresh', null, { refreshToken: await tokenOf('p5') }],
    ['/v1/emit', mark, {}], ['/v1/emit', await tokenOf('p5'), { to: { user: 'p5' }, event: 'app:x', payload: { text: mark } }], ['/v1/emit', service, `{"${mark}`],
    ['/v1/emit', service, { to: { user: 'p5' }, event: 'app:x', payload: { text: mark, secret: mark } }], ['/v1/emit', service, { to: { [field]: mark }, event: mark, payload: mark }],
    [`/v1/emit?token=${service}`, service, mark], [`/${mark}?token=${service}`, null, {}],
  ];
  for (const [path, bearer, body] of calls) {
    const headers = { 'content-type': 'application/json', ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }) };
    const response = await ask(`${url}${path}`, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
    const { data } = JSON.parse(response.text) as { data?: { token?: string; refreshToken?: string } };
    // The one who asked for tokens gets them.
    if (data?.token !== undefined) tokens.push(data.token, data.refreshToken ?? '');
    else answers.push(response.text);
  }
}

async function pagesOf({ url, internalUrl }: { readonly url: string; readonly internalUrl: string }): Promise<string[]> {
  const addresses = [`${url}/health`, `${url}/readyz`, `${url}/healthz`, `${internalUrl}/metrics`, `${internalUrl}/health`, `${internalUrl}/readyz`];
  return Promise.all(addresses.map(async (address) => (await ask(address)).text));
}

describe('a gateway as a process of its own, at level trace', () => {
  it('writes no secret, whatever is sent to it and whatever goes away', async () => {
    await using first = await startGatewayProcess(world, env);
    await using second = await startGatewayProcess(world, env);
    const to = { url: first.url, realm };
    const answers: string[] = [];
    await connectInAllWays(to, answers);
    using client = clientOf(to, { token: await tokenOf('p2') }, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    await connected(client);
    await client.hears('session:welcome');
    await misbehave(client, answers);
    await malform(to, answers);
    await callWrongly(to, answers);
    await throughAnother(first, second);
    await failInHandlers(client, answers);
    await whilePostgresIsAway(to, client, answers);
    await whileRedisIsAway(client, answers);
    const pages = [...(await pagesOf(first)), ...(await pagesOf(second))];
    const output = first.process.output() + second.process.output();
    await drainWithToken(first);

    const all = output + first.process.output() + second.process.output();
    expect(first.process.output().length).toBeLessThan(262_144);
    // All of it did happen, and was written about.
    for (const event of ['socket-connected', 'connect-refused', 'event-refused', 'event-failed', 'service-called', 'handshake-refused']) expect(all).toContain(`"${event}"`);
    expect(all).toContain('could not be read again');
    expect(answers.filter((answer) => answer === 'connected').length).toBeGreaterThan(3);
    expectNoSecret('standard output and error', all);
    expectNoSecret('answers and refusals', answers.join('\n'));
    expectNoSecret('pages for operators', pages.join('\n'));
  }, 120_000);
});

/** A session whose requests, with the token in each address, reach the other gateway. */
async function throughAnother(owner: GatewayProcess, other: GatewayProcess): Promise<void> {
  const query = `&token=${await tokenOf('p6')}`;
  const opened = await ask(`${engineUrl(owner.url)}${query}`);
  const { sid } = JSON.parse(opened.text.slice(1)) as { sid: string };
  expect((await ask(`${engineUrl(other.url, sid)}${query}`, { method: 'POST', body: `40/realm/${realm},{}` })).text).toBe('ok');
  let heard = '';
  while (!heard.includes('session:welcome')) heard += (await ask(`${engineUrl(other.url, sid)}${query}`)).text;
}

/** Redis refuses the commands of handlers; the driver's errors hold them whole, and with one of them the text. */
async function failInHandlers(client: Client, answers: string[]): Promise<void> {
  const admin = createRedis({ url: redis.url.replace('//', `//:${redisPassword}@`), name: 'test', role: 'command' });
  await whenReady(admin);
  const keys = keysOf(realm as RealmId);
  const spoiled = [keys.lane('chat', 'zone:meadow'), keys.roster('meadow' as ZoneId)];
  for (const key of spoiled) {
    await admin.del(key);
    await admin.set(key, 'of another type');
  }
  const asked = [await client.ask('chat:send', { commandId: 'fails', channel, text: text('crash') }), await client.ask('zone:roster', { zoneId: 'meadow' })];
  expect(asked).toMatchObject([{ error: { code: 'server/unavailable' } }, { error: { code: 'server/internal' } }]);
  answers.push(JSON.stringify(asked));
  await admin.del(...spoiled);
  admin.disconnect();
}

async function whilePostgresIsAway(to: Reached, client: Client, answers: string[]): Promise<void> {
  // Something has changed about a known player, who is let in on an earlier reading.
  const admin = createRedis({ url: redis.url.replace('redis://', `redis://:${redisPassword}@`), name: 'test', role: 'command' });
  await whenReady(admin);
  await new PlayerChanges(admin, realm as RealmId).mark(['p1' as UserId]);
  admin.disconnect();
  postgres.blackhole();
  using known = clientOf(to, { token: await tokenOf('p1') });
  await connected(known);
  const response = await ask(`${to.url}/v1/dev/refresh`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ refreshToken: await refreshTokenOf('p7') }) });
  expect(response.status).toBe(503);
  answers.push(response.text, JSON.stringify(await client.ask('chat:send', { commandId: 'away', channel, text: text('away') })));
  postgres.heal();
  await eventually(async () => (await ask(`${to.url}/readyz`)).status === 200, { timeoutMs: 15_000 });
}

async function whileRedisIsAway(client: Client, answers: string[]): Promise<void> {
  redis.pause();
  answers.push(JSON.stringify(await client.ask('chat:send', { commandId: 'frozen', channel, text: text('frozen') })));
  redis.resume();
  await redis.kill();
  const answer = await client.ask('chat:send', { commandId: 'gone', channel, text: text('gone') });
  expect(answer).toMatchObject({ ok: false, error: { code: 'server/unavailable' } });
  answers.push(JSON.stringify(answer));
  // Comes back without its password, so that the client has something to say about the one that it brings.
  await redis.restart();
  await eventually(() => client.payloads('session:welcome').length > 1, { timeoutMs: 20_000, what: 'the client to be back' });
  answers.push(JSON.stringify(await client.ask('chat:send', { commandId: 'back', channel, text: text('back') })));
}

async function drainWithToken(gateway: GatewayProcess): Promise<void> {
  const url = `${engineUrl(gateway.url)}&token=${await tokenOf('p8')}`;
  const over = gateway.process.stop();
  await eventually(async () => (await ask(url).catch(() => null))?.status !== 200);
  await over;
}

describe('a handler that throws what it was given', () => {
  it('is logged without it, in message, stack, cause and fields', async () => {
    const lines: string[] = [];
    const crash = (payload: { text: string }): never => {
      throw Object.assign(new RangeError(`cannot take ${payload.text}`, { cause: new Error(JSON.stringify(payload)) }), { payload, detail: payload.text });
    };
    const table = {
      ...events,
      'chat:send': { limit: defaultRateOf('chat:send'), order: 'in-turn', may: anyone, handle: (_call: unknown, payload: { text: string }) => crash(payload) },
      'session:refresh': { limit: defaultRateOf('session:refresh'), order: 'at-once', may: anyone, handle: (_call: unknown, payload: { token: string }) => { throw new Rejection('server/internal', { cause: new Error(`near ${payload.token}`) }); } },
    } as const;
    const logger = createLogger({ name: 'gateway', level: 'trace', destination: { write: (line) => void lines.push(line) } });
    await using gateway: TestGateway = await startGateway(world, { JWT_SECRET: jwtSecret }, { logger, events: table });
    using client = clientOf(gateway, { token: await tokenOf('p9') });
    await connected(client);
    const answers = [await client.ask('chat:send', { commandId: 'boom', channel, text: text('thrown') }), await client.ask('session:refresh', { token: `${mark}.${mark}.${mark}` })];
    expect(answers).toMatchObject([{ error: { code: 'server/internal' } }, { error: { code: 'server/internal' } }]);
    const failed = lines.filter((line) => line.includes('"event-failed"'));
    expect(failed).toHaveLength(2);
    expect(failed[0]).toContain('"type":"RangeError","message":"cannot take [payload]"');
    expect(failed[1]).toContain('near [payload]');
    expectNoSecret('log', lines.join(''));
    expectNoSecret('answers', JSON.stringify(answers));
  });
});
