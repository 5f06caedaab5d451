import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clientEventNames, clientEvents, isUserId } from '@skirmish/protocol';
import { createRedis, type Redis } from '@skirmish/redis';
import { eventually, type ManagedProcess, type RedisServer, startProcess, startRedis } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceRoutes } from '../src/http/service-routes.ts';
import { type Client, clientOf, connected, join as joinRealm, secret, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { escaped, fitsRequestLine, isSound, requestRaw, sendBytes } from './_hostile-requests.ts';
import { hostileStrings, oversized } from './_hostile-strings.ts';
import { formsOf } from './_payload-places.ts';
import { keysOutside, storedState, type StoredState } from './_stored-state.ts';

/** Tables that commands which were accepted may write, and which. Every other table stays as it was, to the byte. */
const writtenBy: Readonly<Record<string, string>> = {
  users: 'a development token for a user id that is new',
  characters: 'the character of such a user; fights, walks and portals of the players',
  guild_members: 'PUT of a member by a backend',
  guilds: 'PUT of a guild by a backend',
  chat_messages: 'chat:send, by the moderation worker',
  blocks: 'chat:block',
  reports: 'chat:report',
  sanctions: 'a sanction by a backend',
  refresh_families: 'a development token',
  strikes: 'events above their rate',
  combats: 'combat:start',
  combatants: 'combat:start',
  combat_events: 'combat:start and combat:act',
  combat_commands: 'combat:start and combat:act',
  mailbox: 'an emission to a user who is away',
  service_audit: 'whatever a backend changed',
};
const strings = Object.entries(hostileStrings);
/** What fits into a claim or an address. */
const short = strings.filter(([, text]) => text.length <= 1_000);
const atATime = 8;
/** Thousands of requests: a busy machine makes them slow, not wrong. */
const patienceMs = 600_000;
/** A user has five connections at most. */
const oneOfMany = (index: number): string => `p${10 + (index % 10)}`;
/** Of a request line with its headers, as Node has it. */
const headBytesMax = 15_000;

let redis: RedisServer;
let command: Redis;
let world: TestWorld;
let gateway: TestGateway;
const workers: ManagedProcess[] = [];
let before: StoredState;
let outside: string[];
/** New users that a development token was given to. */
const newUsers = new Set<string>();

beforeAll(async () => {
  redis = await startRedis({ appendOnly: false });
  world = await startWorld();
  const limits = { RATE_LIMIT_SCALE: '10000', HANDSHAKES_PER_SECOND_MAX: '100000', PING_TIMEOUT_MS: '60000' };
  gateway = await startGateway(world, { REDIS_URL: redis.url, QUEUE_REDIS_URL: redis.url, ...limits });
  const env = { NODE_ENV: 'development', LOG_LEVEL: 'error', REALMS: gateway.realm, REDIS_URL: redis.url, QUEUE_REDIS_URL: redis.url, DATABASE_URL: world.databaseUrl, INTERNAL_PORT: '0', JWT_SECRET: secret };
  for (const name of ['moderation-worker', 'combat-worker']) {
    workers.push(await startProcess({ name, entry: join(fileURLToPath(new URL('../../', import.meta.url)), name, 'src', 'main.ts'), env }));
  }
  command = createRedis({ url: redis.url, name: 'test', role: 'command' });
  before = await storedState(world.databaseUrl);
  outside = await keysOutside(command, gateway.realm);
});
afterAll(async () => {
  command.disconnect();
  for (const worker of workers) await worker.stop();
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await redis.stop();
});

/** Does the work for each item, a few at a time; resolves to the complaints that it made. */
async function complaintsOf<T>(items: readonly T[], work: (item: T) => Promise<string | null>): Promise<string[]> {
  const rest = [...items];
  const complaints: string[] = [];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) {
      const complaint = await work(item).catch((error: unknown) => String(error));
      if (complaint !== null) complaints.push(complaint);
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return complaints;
}

/** Asks; the complaint when no sound answer comes. */
async function judged(client: Client, event: string, payload: unknown, what: string, seen: Map<string, number>): Promise<string | null> {
  const answer = await client.ask(event, payload).catch((error: unknown) => ({ ok: false as const, error: { code: String(error) } }));
  const code = answer.ok ? null : answer.error.code;
  seen.set(code ?? 'accepted', (seen.get(code ?? 'accepted') ?? 0) + 1);
  return isSound(code) ? null : `${event} ${what}: ${code ?? ''}`;
}

describe('hostile strings', () => {
  it('[ACK5] in every field and id of every event get an answer of the catalogue', async () => {
    using client = await joinRealm(gateway, 'p7');
    const seen = new Map<string, number>();
    const attempts = clientEventNames.flatMap((event) =>
      formsOf(clientEvents[event].payload).flatMap(({ places }) =>
        places.flatMap(({ path, holding }) => strings.map(([name, text]) => ({ event, what: `${path} = ${name}`, payload: () => holding(text) })))));
    expect(new Set(attempts.map(({ event }) => event)).size).toBe(clientEventNames.length);
    expect(await complaintsOf(attempts, ({ event, what, payload }) => judged(client, event, payload(), what, seen))).toEqual([]);
    expect(client.socket.connected).toBe(true);
    // Most of them have no form that a handler would see; many have.
    expect(seen.get('payload/invalid')).toBeGreaterThan(500);
    expect(seen.get('accepted')).toBeGreaterThan(50);
  }, patienceMs);

  it('as the name of an event are an unknown one', async () => {
    using client = await joinRealm(gateway, 'p7');
    const seen = new Map<string, number>();
    expect(await complaintsOf(strings, ([name, text]) => judged(client, text, {}, name, seen))).toEqual([]);
    expect(Object.fromEntries(seen)).toEqual({ 'event/unknown': strings.length });
  }, patienceMs);

  it('[PAY5] larger than a frame may be close the connection, in every event', async () => {
    const complaints = await complaintsOf([...clientEventNames.entries()], async ([index, event]) => {
      using client = await joinRealm(gateway, oneOfMany(index));
      const place = formsOf(clientEvents[event].payload)[0]?.places[0];
      const closed = new Promise<string>((resolve) => { client.socket.once('disconnect', resolve); });
      client.socket.emit(event, place?.holding(oversized));
      return (await closed) === 'transport close' || (await closed) === 'transport error' ? null : `${event}: ${await closed}`;
    });
    expect(complaints).toEqual([]);
  }, patienceMs);
});

describe('hostile strings of backends', () => {
  it('in every parameter, query and body of every route get an answer of the catalogue', async () => {
    const headers = { authorization: `Bearer ${await tokenFor('backend', { roles: ['system'] })}` };
    const seen = new Map<string, number>();
    const send = async (what: string, method: string, path: string, body?: unknown): Promise<string | null> => {
      const { status, code } = await requestRaw(gateway.url, method.toUpperCase(), path, headers, body === undefined ? undefined : JSON.stringify(body));
      // Before anything of ours sees it.
      if (path.length > headBytesMax && status === 431) return null;
      seen.set(code ?? 'accepted', (seen.get(code ?? 'accepted') ?? 0) + 1);
      return isSound(code) && status < 500 ? null : `${what}: ${status} ${code ?? ''}`;
    };
    const known = { realm: () => gateway.realm };
    const attempts = serviceRoutes.flatMap(({ method, path, operation, params, query, body }) => {
      const named = (values: Record<string, string>): string => Object.entries(values).reduce<string>((text, [key, value]) => text.replace(`:${key}`, () => value), path);
      const usual = Object.fromEntries(Object.entries(formsOf(params, known)[0]?.make() as object).map(([key, value]) => [key, escaped(String(value))]));
      const sound = body === null ? undefined : formsOf(body, known)[0]?.make();
      return strings.flatMap(([name, text]) => [
        ...Object.keys(usual).flatMap((key) => [escaped(text), ...(fitsRequestLine(text) ? [text] : [])].map((written) => () => send(`${operation} :${key} = ${name}`, method, named({ ...usual, [key]: written }), sound))),
        ...['realm', ...formsOf(query, known).flatMap(({ places }) => places.map((place) => place.path))].map((key) => () => send(`${operation} ?${key} = ${name}`, method, `${named(usual)}?${escaped(key)}=${escaped(text)}`, sound)),
        () => send(`${operation} ?${name}`, method, `${named(usual)}?${fitsRequestLine(text) ? text : escaped(text)}=1`, sound),
        ...(body === null ? [] : formsOf(body, known).flatMap(({ places }) => places.map(({ path: place, holding }) => () => send(`${operation} ${place} = ${name}`, method, named(usual), holding(text))))),
        () => send(`${operation} body = ${name}`, method, named(usual), text),
      ]);
    });
    expect(await complaintsOf(attempts, (attempt) => attempt())).toEqual([]);
    expect(seen.get('accepted')).toBeGreaterThan(100);
    expect(seen.get('payload/invalid')).toBeGreaterThan(300);
  }, patienceMs);
});

describe('hostile strings in tokens and handshakes', () => {
  it('as the user of a development token are refused, or the id of a user like any other', async () => {
    const post = (path: string, body: unknown) => requestRaw(gateway.url, 'POST', `/v1/dev/${path}`, {}, JSON.stringify(body));
    const complaints = await complaintsOf(strings, async ([name, text]) => {
      const { status, code } = await post('token', { userId: text });
      if (code === null) newUsers.add(text);
      if ((code === null) !== isUserId(text) || !isSound(code) || status >= 500) return `user ${name}: ${status} ${code ?? ''}`;
      const others = await Promise.all([post('token', { userId: 'p3', roles: [text] }), post('token', { userId: 'p3', ttlSeconds: text }), post('token', { userId: 'p3', [text]: 1 }), post('refresh', { refreshToken: text })]);
      return others.every((answer) => answer.code !== null && isSound(answer.code)) ? null : `${name}: ${others.map((answer) => answer.code).join(', ')}`;
    });
    expect(complaints).toEqual([]);
    expect(newUsers.size).toBeGreaterThan(20);
  }, patienceMs);

  it('as the user of a token that may connect are that user, wherever they are written', async () => {
    const backend = { authorization: `Bearer ${await tokenFor('backend', { roles: ['service'] })}` };
    const complaints = await complaintsOf([...newUsers], async (userId) => {
      const outcome = await outcomeOf({ token: await tokenFor(userId) });
      if (outcome !== null) return `${userId}: ${outcome}`;
      using client = await joinRealm(gateway, userId);
      const welcome = await client.hears<{ userId: string }>('session:welcome');
      const seen = new Map<string, number>();
      const said = await judged(client, 'chat:send', { commandId: 'a', channel: { kind: 'zone', id: 'meadow' }, text: userId }, userId, seen);
      const moved = await judged(client, 'character:move', { seq: 1, x: 420, y: 450 }, userId, seen);
      const { text } = await requestRaw(gateway.url, 'GET', `/v1/users/${escaped(userId)}/online`, backend);
      return said ?? moved ?? (welcome.userId === userId && text === '{"ok":true,"data":{"online":true}}' ? null : `${welcome.userId} ${text}`);
    });
    expect(complaints).toEqual([]);
  }, patienceMs);

  it('in every claim of a token are refused, or mean nothing', async () => {
    const attempts = short.flatMap(([name, text]) => [{ userId: text }, { characterId: text }, { realm: text }, { roles: [text as never] }, { issuer: text }, { audience: text }].map((claims) => ({ name, claims })));
    const complaints = await complaintsOf([...attempts.entries()], async ([index, { name, claims }]) => {
      const outcome = await outcomeOf({ token: await tokenFor(oneOfMany(index), claims) });
      return isSound(outcome) ? null : `${JSON.stringify(claims).slice(0, 60)} ${name}: ${outcome ?? ''}`;
    });
    expect(complaints).toEqual([]);
  }, patienceMs);

  it('in every field of a handshake are refused, or mean nothing', async () => {
    const tokens = await Promise.all(strings.map((_, index) => tokenFor(oneOfMany(index))));
    const attempts = strings.flatMap(([name, text], index) => [tokens[index] ?? ''].flatMap((token) => [
      { auth: { token: text } }, { auth: { token, device: text } }, { auth: { token, protocol: text } }, { auth: { token, pid: text, offset: '0-0' } }, { auth: { token, pid: 'p', offset: text } },
      { auth: Object.fromEntries<unknown>([['token', token], [text, 1]]) }, ...(text.length > 1_000 ? [] : [{ auth: {}, query: { token: text.toWellFormed() } }]),
    ]).map((parts) => ({ name, ...parts })));
    const complaints = await complaintsOf(attempts, async ({ name, auth, ...options }) => {
      const outcome = await outcomeOf(auth, options);
      return isSound(outcome) ? null : `${JSON.stringify({ auth: Object.keys(auth), ...options }).slice(0, 80)} ${name}: ${outcome ?? ''}`;
    });
    expect(complaints).toEqual([]);
  }, patienceMs);

  it('as a realm are an unknown one', async () => {
    const token = await tokenFor('p6');
    // A comma ends the name of a namespace; half a character would come back as another one.
    const complaints = await complaintsOf(short.filter(([, text]) => text.isWellFormed() && !text.includes(',')), async ([name, text]) => {
      const outcome = await outcomeOf({ token }, {}, text);
      return outcome === 'Invalid namespace' ? null : `${name}: ${outcome ?? 'accepted'}`;
    });
    expect(complaints).toEqual([]);
  }, patienceMs);

  it('in the address of a handshake, as names and values, mean nothing', async () => {
    const attempts = strings.flatMap(([name, text]) => [escaped(text), ...(fitsRequestLine(text) ? [text] : [])].flatMap((written) => [`&${written}=1`, `&x=${written}`, `&token=${written}`, `&EIO=${written}`, `&transport=${written}`, `&sid=${written}`].map((query) => ({ name, query }))));
    const complaints = await complaintsOf(attempts, async ({ name, query }) => {
      const { status } = await requestRaw(gateway.url, 'GET', `/socket.io/?EIO=4&transport=polling${query}`, {});
      return [200, 400, 404, 431].includes(status) ? null : `${name} ${query.slice(0, 60)}: ${status}`;
    });
    expect(complaints).toEqual([]);
  }, patienceMs);

  it('in headers, as bytes, never make the server fail', async () => {
    const names = ['Origin', 'Authorization', 'User-Agent', 'X-Forwarded-For', 'X-Request-Id', 'Cookie', 'Host', 'Sec-WebSocket-Key', 'Content-Length', 'Transfer-Encoding', 'X-Odd'];
    const attempts = names.flatMap((header) => [header === 'Authorization' ? '/v1/users/p1/online' : '/healthz', '/socket.io/?EIO=4&transport=polling'].flatMap((path) => strings.map(([name, text]) => ({ header, path, name, text }))));
    const complaints = await complaintsOf(attempts, async ({ header, path, name, text }) => {
      const answer = await sendBytes(gateway.url, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${header}: ${text}\r\n\r\n`);
      return /^HTTP\/1\.1 [24]\d\d /.test(answer) && !/set-cookie/i.test(answer) ? null : `${header} ${path} ${name}: ${answer.slice(0, 80)}`;
    });
    expect(complaints).toEqual([]);
  }, patienceMs);
});

/** How a connection came out: null when it was welcomed, else the code of its refusal, or what Socket.IO says. */
async function outcomeOf(auth: object, options: Parameters<typeof clientOf>[2] = {}, realm?: string): Promise<string | null> {
  using client = clientOf(gateway, auth, { ...options, autoConnect: false });
  if (realm !== undefined) Object.assign(client.socket, { nsp: `/realm/${realm}` });
  const lost = new Promise<Error>((resolve) => { client.socket.io.on('close', (reason) => { if (reason !== 'forced close') resolve(new Error(reason)); }); });
  const attempt = connected(client);
  client.socket.connect();
  const refusal = await Promise.race([attempt, lost]).catch((error: unknown) => error as Error);
  if (!(refusal instanceof Error)) return null;
  const { data } = refusal as Error & { data?: { code: string } };
  return data?.code ?? refusal.message;
}

describe('after all of them', () => {
  it('nothing is waiting, and no process made a mistake or ended', async () => {
    await eventually(async () => { expect(await command.keys(`{${gateway.realm}}:lane:*`)).toEqual([]); }, { timeoutMs: 30_000 });
    expect(gateway.logs.filter((line) => (JSON.parse(line) as { level: string }).level === 'error')).toEqual([]);
    for (const worker of workers) expect([worker.isRunning(), worker.output()]).toEqual([true, '']);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    using client = await joinRealm(gateway, 'p9');
    expect(await client.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
  }, patienceMs);

  it('the schema is what it was, and no table lost a row or was written that no command writes', async () => {
    const after = await storedState(world.databaseUrl);
    expect(after.schema).toEqual(before.schema);
    const rowsOf = (state: StoredState, table: string): number => state.tables[table]?.rows ?? -1;
    for (const table of Object.keys(before.tables)) {
      if (writtenBy[table] === undefined) expect([table, after.tables[table]]).toEqual([table, before.tables[table]]);
      else expect(rowsOf(after, table), table).toBeGreaterThanOrEqual(rowsOf(before, table));
    }
    // What a text wrote is itself: one user and one character for each new id, and a message for each text that passed.
    expect(rowsOf(after, 'users')).toBe(rowsOf(before, 'users') + newUsers.size);
    expect(rowsOf(after, 'characters')).toBe(rowsOf(before, 'characters') + newUsers.size);
    expect(rowsOf(after, 'chat_messages')).toBeGreaterThan(newUsers.size);
    expect(rowsOf(after, 'service_audit')).toBeGreaterThan(0);
    expect(Object.keys(writtenBy).filter((table) => before.tables[table] === undefined)).toEqual([]);
  });

  it('Redis holds nothing outside the keys of the realm that was not there', async () => {
    expect(await keysOutside(command, gateway.realm)).toEqual(outside);
  });
});
