import { connect } from 'node:net';
import { type RealmId, type RoomName, roomOf, type ZoneId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, startRedis, timePasses } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttpServer } from '../src/connection/server.ts';
import { clientOf, connected, join, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { startGatewayProcess } from './_gateway-process.ts';
import { ask, engineUrl, openSession } from './_polling.ts';
import { openRaw, type RawWebSocket } from './_raw-websocket.ts';

/** One regression test for each known trap of the stack that concerns the edge: findings by number, then what attacks it. */
let world: TestWorld;
let gateway: TestGateway;
let redis: Redis;
let server: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  world = await startWorld();
  // Of its own, so that its counters are this file's.
  server = await startRedis({ appendOnly: false });
  redis = createRedis({ url: server.url, name: 'test', role: 'command' });
  await whenReady(redis);
  gateway = await startGateway(world, { REDIS_URL: server.url });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  redis.disconnect();
  await server.stop();
  await world[Symbol.asyncDispose]();
});

const zone = roomOf.zone('meadow' as ZoneId);
const realmHere = () => gateway.gateway.realms[0]!;
const metricsOf = async ({ internalUrl }: { internalUrl: string }): Promise<string> => (await fetch(`${internalUrl}/metrics`)).text();

/** All that critical events left behind: the entries of the inbox and of the logs of these rooms. */
async function stored(rooms: readonly RoomName[]): Promise<string> {
  const keys = keysOf(gateway.realm as RealmId);
  const streams = [keys.inbox(gateway.gateway.incarnation), ...rooms.map((room) => keys.log(room))];
  return JSON.stringify(await Promise.all(streams.map((stream) => redis.xrange(stream, '-', '+'))));
}

/** Commands that Redis ran more than in as much time without the work. */
async function commandsOf(work: () => Promise<unknown>): Promise<number> {
  const commands = async (): Promise<number> => Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
  const during = async (what: () => Promise<unknown>): Promise<readonly [count: number, tookMs: number]> => {
    const [before, startedAtMs] = [await commands(), performance.now()];
    await Promise.all([what(), timePasses(1_000, 'the least time for both')]);
    return [(await commands()) - before, performance.now() - startedAtMs];
  };
  const [quiet, quietMs] = await during(() => Promise.resolve());
  const [count, tookMs] = await during(work);
  return count - quiet * Math.max(1, tookMs / quietMs);
}

async function joinRaw(userId: string): Promise<{ raw: RawWebSocket; send: (packet: string) => void }> {
  const raw = await openRaw(gateway.url);
  raw.send(`40/realm/${gateway.realm},${JSON.stringify({ token: await tokenFor(userId) })}`);
  await raw.hears('session:welcome');
  return { raw, send: (packet) => { raw.send(`4${packet.charAt(0)}/realm/${gateway.realm},${packet.slice(1)}`); } };
}

describe('findings of the edge', () => {
  it('F6: what is volatile is delivered, and stands in no inbox and no log', async () => {
    using client = await join(gateway, 'p1');
    const { nsp } = realmHere();
    await eventually(() => {
      nsp.to(zone).volatile.emit('app:volatile' as never, {});
      return client.heard.some(({ event }) => event === 'app:volatile');
    });
    nsp.to(zone).emit('app:critical' as never, {});
    await client.hears('app:critical' as never);
    const text = await stored([zone, roomOf.realm]);
    expect(text).toContain('app:critical');
    expect(text).not.toContain('app:volatile');
  });

  it('F7: answers and refusals are made without Redis', async () => {
    using client = await join(gateway, 'p2');
    const more = await commandsOf(async () => {
      for (let n = 0; n < 100; n++) client.socket.emit('no:such', {});
      expect((await Promise.all(Array.from({ length: 15 }, (_, n) => client.ask('session:ping', { atMs: n })))).every(({ ok }) => ok)).toBe(true);
      await eventually(() => client.payloads('session:refused').length === 100);
    });
    expect(more).toBeLessThan(50);
    expect(await stored([zone])).not.toContain('session:refused');
  });

  it('F16: what asks for an acknowledgement is not stored, and so never repeated without it', async () => {
    using client = await join(gateway, 'p3');
    client.socket.on('app:asked', (_payload: unknown, answer: (value: unknown) => void) => { answer({ heard: true }); });
    const socket = realmHere().sessions.of('p3' as never)[0]!.socket as unknown as Asking;
    expect(await socket.timeout(15_000).emitWithAck('app:asked', {})).toEqual({ heard: true });
    const members = realmHere().nsp.to(zone) as unknown as Asking;
    expect(await members.timeout(15_000).emitWithAck('app:asked', {})).toEqual([{ heard: true }]);
    expect(await stored([zone, roomOf.user('p3' as never)])).not.toContain('app:asked');
  });
});

interface Asking {
  timeout(ms: number): { emitWithAck(event: string, payload: object): Promise<unknown> };
}

describe('what a client may send', () => {
  it.each([
    ['no function in the place of the callback', '2["session:ping",{"atMs":1},"callback"]', 'payload/invalid'],
    ['an event of the name error', '2["error",{"message":"x"}]', 'event/unknown'],
    ['a number for a name', '2[42,{}]', 'event/unknown'],
    ['a prototype', '2["session:ping",{"atMs":1,"__proto__":{"polluted":true}}]', 'payload/invalid'],
    ['a constructor', '2["session:ping",{"atMs":1,"constructor":{"prototype":{"polluted":true}}}]', 'payload/invalid'],
    ['the name of a property of every object', '2["__proto__",{}]', 'event/unknown'],
    ['binary where none belongs', '51-["chat:send",{"text":{"_placeholder":true,"num":0}}]', 'payload/invalid'],
  ])('%s is refused, pollutes nothing, and the connection lives', async (_what, packet, code) => {
    const { raw, send } = await joinRaw('p4');
    if (packet.startsWith('51-')) raw.send(`451-/realm/${gateway.realm},${packet.slice(3)}`);
    else send(packet);
    expect(await raw.hears('session:refused')).toContain(code);
    if (packet.startsWith('51-')) raw.sendBinary(Buffer.from([1]));
    send('27["session:ping",{"atMs":5}]');
    expect(await raw.hears('"atMs":5')).toContain('"ok":true');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    raw[Symbol.dispose]();
  });

  it('acknowledgements that nobody asked for, of any id, are ignored', async () => {
    const { raw, send } = await joinRaw('p5');
    for (const packet of ['30[{}]', '312[{"ok":true}]', '3999999999999999999999[{}]', '3[]', '37["__proto__"]']) send(packet);
    send('27["session:ping",{"atMs":6}]');
    expect(await raw.hears('"atMs":6')).toContain('"ok":true');
    raw[Symbol.dispose]();
  });

  it('a namespace that is none is refused and not made', async () => {
    const { raw } = await joinRaw('p6');
    const namespaces = (): number => realmHere().nsp.server._nsps.size;
    const before = namespaces();
    for (const name of ['/', '/admin', '/realm/other']) {
      raw.send(`40${name},{}`);
      await eventually(() => raw.frames.some((frame) => frame.includes('Invalid namespace') && frame.includes(name === '/' ? '44{' : name)));
    }
    expect(namespaces()).toBe(before);
    raw[Symbol.dispose]();
  });
});

describe('CONNECT floods', () => {
  it('over polling and WebSocket run the authentication once, cost less than 50 ms, and end the connection', async () => {
    await using own = await startGatewayProcess(world);
    const packet = `40/realm/${own.realm},{"token":"x"}`;
    const flood = Array.from({ length: Math.floor(60 * 1024 / (packet.length + 1)) }, () => packet).join('\x1e');
    const attempts = async (): Promise<number> => Number(/connect_refused_total\{[^}]*code="auth\/malformed"[^}]*\} (\d+)/.exec(await metricsOf(own))?.[1] ?? 0);
    const costOf = async (attack: () => Promise<void>): Promise<number> => {
      const costs: number[] = [];
      // The first of each runs cold code.
      for (let round = 0; round < 4; round++) {
        const [attemptsBefore, { cpuMs }] = [await attempts(), await own.measure(false)];
        await attack();
        costs.push((await own.measure(false)).cpuMs - cpuMs);
        await eventually(async () => { expect(await attempts()).toBe(attemptsBefore + 1); });
      }
      return Math.min(...costs);
    };
    const polling = await costOf(async () => {
      const sid = await openSession(own.url);
      await ask(engineUrl(own.url, sid), { method: 'POST', body: flood });
      await eventually(async () => (await ask(engineUrl(own.url, sid))).status === 400);
    });
    const webSocket = await costOf(async () => {
      using raw = await openRaw(own.url);
      raw.send(...Array.from({ length: 1_000 }, () => packet));
      await eventually(() => raw.isClosed() || raw.frames.some((frame) => frame.startsWith('close')));
    });
    process.stdout.write(`CONNECT floods, CPU: POST with ${flood.split('\x1e').length} packets ${polling.toFixed(1)} ms, 1,000 frames ${webSocket.toFixed(1)} ms\n`);
    expect(polling).toBeLessThan(50);
    expect(webSocket).toBeLessThan(50);
    expect(await metricsOf(own)).toMatch(/connection_cut_total\{[^}]*reason="second-connect"[^}]*\} 8/);
  }, 60_000);
});

describe('clients that only cost', () => {
  it('a sid that nobody knows is answered without Redis', async () => {
    const more = await commandsOf(() => Promise.all(Array.from({ length: 400 }, async (_, n) => { expect((await ask(engineUrl(gateway.url, `unknown${n}`))).status).toBe(400); })));
    expect(more).toBeLessThan(100);
  });

  it('pongs that nobody asked for end a connection, so that who reads nothing does not live on them', async () => {
    const { raw } = await joinRaw('p7');
    raw.socket.pause();
    const pongs = setInterval(() => { raw.send('3'); }, 300);
    await eventually(() => realmHere().sessions.of('p7' as never).length === 0, { timeoutMs: 10_000 });
    clearInterval(pongs);
    expect(await metricsOf(gateway)).toMatch(/connection_cut_total\{[^}]*reason="unasked-pongs"[^}]*\} 1/);
    raw[Symbol.dispose]();
  });

  it('a flood of packets that no decoder counts ends a connection', async () => {
    const sid = await openSession(gateway.url);
    await ask(engineUrl(gateway.url, sid), { method: 'POST', body: Array.from({ length: 1_000 }, () => '6').join('\x1e') });
    expect((await ask(engineUrl(gateway.url, sid))).status).toBe(400);
    expect(await metricsOf(gateway)).toMatch(/connection_cut_total\{[^}]*reason="heartbeats"[^}]*\} 1/);
  });

  it.each([
    ['headers', 'GET / HTTP/1.1\r\nHost: x\r\n', 'X-More: 1\r\n'],
    ['a body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n', 'x'],
  ])('a request whose %s come byte by byte is ended with 408', async (_what, head, more) => {
    const http = createHttpServer((request, response) => { request.resume().on('end', () => response.end()); }, { headersTimeoutMs: 300, requestTimeoutMs: 600, checkIntervalMs: 50 });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const socket = connect((http.address() as { port: number }).port, '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk) => { heard += chunk.toString(); }).on('error', () => undefined);
    socket.write(head);
    const drip = setInterval(() => { if (socket.writable) socket.write(more); }, 50);
    await eventually(() => socket.destroyed || heard.includes('408'));
    clearInterval(drip);
    expect(heard).toContain('408');
    socket.destroy();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
});

describe('what the edge gives away', () => {
  it('an Origin that is not listed gets nothing on a session that exists either, over both transports', async () => {
    const sid = await openSession(gateway.url);
    const headers = { origin: 'https://evil.example.com' };
    expect((await ask(engineUrl(gateway.url, sid), { headers })).status).toBe(403);
    expect((await ask(engineUrl(gateway.url, sid), { method: 'POST', body: '6', headers })).status).toBe(403);
    await expect(openRaw(gateway.url, { Origin: headers.origin })).rejects.toThrow('403');
    const preflight = await ask(engineUrl(gateway.url, sid), { method: 'OPTIONS', headers: { ...headers, 'access-control-request-method': 'POST' } });
    expect(preflight.headers['access-control-allow-origin']).toBeUndefined();
    expect((await ask(engineUrl(gateway.url, sid), { method: 'POST', body: '6' })).status).toBe(200);
  });

  it('no client file, no old protocol, no name or version of what it is made of', async () => {
    const answers = [await ask(`${gateway.url}/socket.io/socket.io.js`), await ask(`${gateway.url}/socket.io/?EIO=3&transport=polling`), await ask(engineUrl(gateway.url)), await ask(`${gateway.url}/healthz`)];
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 200, 200]);
    for (const { headers } of answers) expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['x-powered-by']));
    for (const { headers } of answers) expect(headers['server']).toBeUndefined();
  });

  it('no token and no session id in the logs, wherever the token stood and whatever became of it', async () => {
    const token = await tokenFor('p8');
    const expired = await tokenFor('p8', { ttlSeconds: -10 });
    const from = [[{ token }, {}], [{}, { query: { token } }], [{}, { extraHeaders: { authorization: `Bearer ${token}` } }], [{ token: expired }, {}], [{ token: 'not-a-token-at-all' }, {}]] as const;
    const sids: string[] = [];
    for (const [auth, options] of from) {
      using client = clientOf(gateway, auth, { transports: ['polling'], ...options });
      await connected(client).catch(() => undefined);
      sids.push(client.socket.io.engine.id);
    }
    const logs = gateway.logs.join('');
    expect(logs).toContain('socket-connected');
    for (const secret of [token, token.split('.')[2]!, expired, 'not-a-token-at-all', ...sids.filter(Boolean)]) expect(logs).not.toContain(secret);
  });
});
