import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { eventually } from '@skirmish/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { type Forwarder, listen, type Listening, startForwarder } from './_forwarder.ts';
import { ask, engineUrl } from './_polling.ts';
import { rawUpgrade } from './_raw-upgrade.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function start(...[listener, parts]: [Parameters<typeof listen>[0]?, Parameters<typeof startForwarder>[1]?]): Promise<{ owner: Listening; at: Forwarder; poll: string }> {
  const owner = await listen(listener);
  const at = await startForwarder(owner.port, parts);
  open.push(owner, at);
  return { owner, at, poll: engineUrl(at.url, at.sid) };
}

/** No request is under way: what is left between the two are connections that wait for the next one. */
async function settled({ owner, at }: { owner: Listening; at: Forwarder }): Promise<void> {
  await eventually(() => at.connections.size === 0, { what: 'the clients to be gone' });
  at.forwarding.close();
  await eventually(() => owner.connections.size === 0, { what: 'the connections to the owner to be gone' });
}

const unavailable = (status: number, text: string): void => {
  expect(status).toBe(503);
  expect(JSON.parse(text)).toMatchObject({ code: 'server/unavailable', retry: 'later' });
};

describe('what is passed on', () => {
  it('is the method, the path, the body and the answer, byte for byte, over kept connections', async () => {
    const seen: string[] = [];
    let connections = 0;
    const { owner, poll } = await start((incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        seen.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
        outgoing.writeHead(207, { 'content-type': 'application/x-test' }).end(Buffer.concat(chunks));
      });
    });
    owner.server.on('connection', () => { connections += 1; });
    for (const size of [0, 1, 1_000, 65_536, 900_000]) {
      const body = randomBytes(size);
      const { status, headers, body: back } = await ask(poll, { method: 'POST', body });
      expect([status, headers['content-type'], back.equals(body)]).toEqual([207, 'application/x-test', true]);
    }
    const chunked = randomBytes(5_000);
    expect((await ask(poll, { method: 'POST', body: chunked, headers: { 'transfer-encoding': 'chunked' } })).body.equals(chunked)).toBe(true);
    expect((await ask(poll)).status).toBe(207);
    expect(new Set(seen.map((line) => line.split('?')[0]))).toEqual(new Set(['POST /socket.io/', 'GET /socket.io/']));
    expect(connections).toBe(1);
  });

  it('has no headers of one hop, and says who asked', async () => {
    const { poll } = await start((incoming, outgoing) => {
      outgoing.writeHead(200, { connection: 'x-of-hop', 'x-of-hop': '1', 'x-kept': '2' });
      outgoing.end(JSON.stringify(incoming.headers));
    });
    const headers = { connection: 'close, x-secret', 'x-secret': '1', te: 'trailers', 'proxy-authorization': 'x', 'x-forwarded-for': '198.51.100.9', origin: 'https://a.example' };
    const answer = await ask(poll, { headers });
    expect(JSON.parse(answer.text)).toEqual({
      host: new URL(poll).host, connection: 'keep-alive', 'x-forwarded-for': '198.51.100.9, 127.0.0.1', origin: 'https://a.example',
    });
    expect([answer.headers['x-of-hop'], answer.headers['x-kept']]).toEqual([undefined, '2']);
  });

  it('is nothing of a preflight, of other paths and of sessions whose owner is not in the table', async () => {
    const { at, owner, poll } = await start((_incoming, outgoing) => outgoing.end('there'));
    expect((await ask(poll)).text).toBe('there');
    expect((await ask(poll, { method: 'OPTIONS' })).text).toBe('here OPTIONS');
    expect((await ask(`${at.url}/healthz?sid=${at.sid}`)).text).toBe('here GET');
    expect((await ask(engineUrl(at.url, `nobody-00000.${'x'.repeat(24)}`))).text).toBe('here GET');
    expect((await ask(engineUrl(at.url))).text).toBe('here GET');
    expect(await at.metric('forwarded_requests_total{outcome="unknown-owner"')).toBe(1);
    await settled({ owner, at });
  });

  it('never comes back to the gateway itself, and the internal port serves sessions only and forwards nothing', async () => {
    const { at } = await start((_incoming, outgoing) => outgoing.end('there'));
    expect((await ask(engineUrl(at.url, `myself-00000.${'x'.repeat(24)}`))).text).toBe('here GET');
    expect(await at.metric('forwarded_requests_total{outcome="unknown-owner"')).toBe(1);
    expect(await at.metric('forwarded_requests_total{outcome="answered"')).toBe(0);
    expect((await ask(engineUrl(at.internalUrl, at.sid))).text).toBe('here GET');
    expect((await ask(engineUrl(at.internalUrl))).status).toBe(400);
    expect((await ask(`${at.internalUrl}/other`)).status).toBe(404);
    const upgrade = await rawUpgrade(engineUrl(at.internalUrl));
    await eventually(() => upgrade.text.startsWith('HTTP/1.1 400 Bad Request'));
  });
});

describe('when one side goes', () => {
  it('a client that leaves its poll takes the request to the owner along', async () => {
    const closed: string[] = [];
    const { owner, at, poll } = await start((incoming) => { incoming.once('close', () => closed.push('closed')); });
    const clients = Array.from({ length: 20 }, () => new AbortController());
    const asked = clients.map(({ signal }) => ask(poll, { signal }).catch(() => 'gone'));
    await eventually(() => owner.connections.size === 20);
    for (const client of clients) client.abort();
    expect(await Promise.all(asked)).toEqual(Array(20).fill('gone'));
    await eventually(() => closed.length === 20 && owner.connections.size === 0);
    await eventually(async () => (await at.metric('forwarded_requests_total{outcome="client-gone"')) === 20);
  });

  it('an owner that dies before it answers is a refusal that says when to come back, readable for pages', async () => {
    const { owner, at, poll } = await start();
    const asked = ask(poll, { headers: { origin: 'https://game.example.com' } });
    await eventually(() => owner.connections.size === 1);
    for (const socket of owner.connections) socket.destroy();
    const { status, text, headers } = await asked;
    unavailable(status, text);
    expect([headers['retry-after'], headers['access-control-allow-origin'], headers.connection]).toEqual([expect.any(String), 'https://game.example.com', 'close']);
    await settled({ owner, at });
  });

  it('an owner that dies in the middle of its answer breaks the connection of the client', async () => {
    const { owner, at, poll } = await start((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-length': 1_000 });
      outgoing.write('half');
      setImmediate(() => { outgoing.destroy(); });
    });
    await expect(ask(poll)).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    await settled({ owner, at });
    expect(await at.metric('forwarded_requests_total{outcome="owner-gone"')).toBe(1);
  });

  it('an owner where nobody listens is refused at once', async () => {
    const { owner, poll } = await start();
    await owner[Symbol.asyncDispose]();
    for (const method of ['GET', 'POST']) {
      const { status, text } = await ask(poll, { method, ...(method === 'POST' ? { body: 'x' } : {}) });
      unavailable(status, text);
    }
  });

  it('a pause of this gateway itself is none of the owner: what came meanwhile is read before anything is given up', async () => {
    const { at, owner, poll } = await start((_incoming, outgoing) => outgoing.end('there'), { times: { connectMs: 5 } });
    owner.server.on('upgrade', (_request, socket: Socket) => { socket.end('HTTP/1.1 400 There\r\n\r\n'); });
    const standStill = (): void => { for (const until = performance.now() + 30; performance.now() < until;); };
    // In the turn in which the connection to the owner is begun: its time is over before anybody can see that it has come about.
    at.server.on('request', standStill).on('upgrade', standStill);
    expect((await ask(poll)).text).toBe('there');
    const upgrade = await rawUpgrade(engineUrl(at.url, at.sid, 'websocket'));
    await eventually(() => upgrade.isClosed);
    expect(upgrade.text).toContain('400 There');
  });

  it('an owner that is silent is given up: polls, POSTs and upgrades', async () => {
    const { owner, at, poll } = await start(() => undefined, { times: { pollMs: 300, answerMs: 200, upgradeMs: 200 } });
    owner.server.on('upgrade', (_request, socket: Socket) => { socket.resume().once('end', () => { socket.destroy(); }); });
    const [polled, posted, upgrade] = await Promise.all([ask(poll), ask(poll, { method: 'POST', body: 'x' }), rawUpgrade(poll)]);
    unavailable(polled.status, polled.text);
    unavailable(posted.status, posted.text);
    await eventually(() => upgrade.isClosed);
    expect(upgrade.text).toMatch(/^HTTP\/1\.1 503 [\s\S]*Retry-After: [\s\S]*"server\/unavailable"/);
    await settled({ owner, at });
    expect(await at.metric('forwarded_requests_total{outcome="timed-out"')).toBe(3);
  });
});

describe('against slow and greedy clients', () => {
  it('a body that comes byte by byte ends after its time, at the owner too', async () => {
    let aborted = 0;
    const { owner, at, poll } = await start((incoming) => {
      incoming.resume();
      incoming.once('close', () => { aborted += incoming.complete ? 0 : 1; });
    }, { times: { bodyMs: 300 } });
    const { port, pathname, search } = new URL(poll);
    const client = connect(Number(port), '127.0.0.1');
    client.on('error', () => undefined);
    let text = '';
    client.on('data', (chunk: Buffer) => { text += chunk.toString(); });
    client.write(`POST ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`);
    const drip = setInterval(() => { client.write('x'); }, 20);
    await eventually(() => client.destroyed, { what: 'the slow client to be cut' });
    clearInterval(drip);
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    await eventually(() => aborted === 1);
    await settled({ owner, at });
  });

  it('an answer before the end of the body reaches the client, and the rest of the body nobody', async () => {
    const { owner, at, poll } = await start((_incoming, outgoing) => outgoing.writeHead(413).end('too much'));
    const status = await new Promise<number>((resolve, reject) => {
      const asking = request(poll, { method: 'POST', agent: false, headers: { 'content-length': 1_000_000 } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asking.on('error', reject);
      asking.write('x'.repeat(1_000));
    });
    expect(status).toBe(413);
    await settled({ owner, at });
  });

  it('a client that does not read is cut', async () => {
    const { owner, at, poll } = await start((_incoming, outgoing) => outgoing.end(Buffer.alloc(30_000_000)), { times: { transferMs: 300 } });
    const { port, pathname, search } = new URL(poll);
    const client = connect(Number(port), '127.0.0.1');
    client.on('error', () => undefined);
    let asked = 0;
    owner.server.on('connection', () => { asked += 1; });
    client.pause();
    client.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await eventually(() => asked === 1);
    await eventually(() => owner.connections.size === 0 && at.connections.size === 0);
    client.destroy();
  });

  it('one address has a rate and a share of what is under way; others go on', async () => {
    const { owner, at, poll } = await start(() => undefined, { perAddressPerSecond: 1, underWayMax: 16 });
    const from = (address: string): { headers: Record<string, string> } => ({ headers: { 'x-forwarded-for': address } });
    const controller = new AbortController();
    let refused = 0;
    const asks = Array.from({ length: 8 }, () => ask(poll, { ...from('198.51.100.1'), signal: controller.signal }));
    const greedy = asks.map((asked) => asked.then((answer) => { refused += 1; return answer; }, () => null));
    // The share of one address is a quarter of 16; the other four are refused, not passed on.
    await eventually(() => owner.connections.size === 4 && refused === 4);
    expect(owner.connections.size).toBe(4);
    const other = ask(poll, { ...from('198.51.100.2'), signal: controller.signal }).catch(() => null);
    await eventually(() => owner.connections.size === 5);
    controller.abort();
    const answers = [...(await Promise.all(greedy)), await other].filter((answer) => answer !== null);
    expect(answers.map(({ status, text }) => [status, (JSON.parse(text) as { code: string }).code])).toEqual(Array(4).fill([503, 'server/busy']));
    // Five saved up at one per second, four of them spent.
    await settled({ owner, at });
  });

  it('the rate of an address is saved up for five seconds', async () => {
    const { at, poll } = await start((_incoming, outgoing) => outgoing.end('there'), { perAddressPerSecond: 1 });
    const agent = new Agent({ keepAlive: true });
    const statuses: number[] = [];
    const startedAtMs = performance.now();
    for (let count = 0; count < 20; count += 1) statuses.push((await ask(poll, { agent, headers: { 'x-forwarded-for': '198.51.100.3' } })).status);
    const savedUpMeanwhile = Math.ceil((performance.now() - startedAtMs) / 1_000);
    agent.destroy();
    expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200]);
    const busy = statuses.filter((status) => status === 503).length;
    expect(busy).toBeLessThanOrEqual(15);
    expect(busy).toBeGreaterThanOrEqual(15 - savedUpMeanwhile);
    expect(await at.metric('forwarded_requests_total{outcome="busy"')).toBe(busy);
  });
});
