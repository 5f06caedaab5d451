import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf, eventually, freePort, isPortFree } from '@skirmish/testing';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Balancer } from '../src/balancer/balancer.ts';
import { startNginxBalancer } from '../src/balancer/nginx-balancer.ts';
import { startOwnBalancer } from '../src/balancer/own-balancer.ts';
import { watchReadiness } from '../src/balancer/readiness-watch.ts';
import { findNginx } from '../src/host-tools.ts';
import { startBackend, type Backend } from './_backend.ts';
import { allGone } from './_started-cluster.ts';

const folder = await mkdtemp(join(tmpdir(), 'skirmish balancer '));
afterAll(() => rm(folder, { recursive: true, force: true }));

const nginx = findNginx();
const kinds = [['own', null], ...(nginx === null ? [] : [['nginx', nginx]])] as [string, string | null][];

describe.each(kinds)('the load balancer (%s)', (kind, program) => {
  const open: { close(): Promise<unknown> }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  async function start(upstreams: readonly number[], onOutput: (text: string) => void = () => undefined): Promise<{ balancer: Balancer; url: string; port: number }> {
    const port = await freePort();
    const options = { port, folder: join(folder, kind), upstreams, onOutput, signal: new AbortController().signal };
    const balancer = program === null ? await startOwnBalancer(options) : await startNginxBalancer(program, options);
    open.push({ close: () => balancer.stop(2_000) });
    return { balancer, port, url: `http://127.0.0.1:${port}` };
  }

  async function backends(...names: string[]): Promise<Backend[]> {
    const started = await Promise.all(names.map(startBackend));
    open.push(...started);
    return started;
  }

  it('gives each request to the next gateway, whoever asks', async () => {
    const started = await backends('a', 'b', 'c');
    const { url } = await start(started.map(({ port }) => port));
    const names: string[] = [];
    for (let count = 0; count < 9; count += 1) names.push(await (await fetch(url)).text());
    expect(names.slice(0, 3).sort()).toEqual(['a', 'b', 'c']);
    expect(names).toEqual([...names.slice(0, 3), ...names.slice(0, 3), ...names.slice(0, 3)]);
  });

  it('passes bodies, status, headers and the address of the client', async () => {
    const [a] = await backends('a');
    const { url } = await start([a?.port ?? 0]);
    const posted = await fetch(url, { method: 'POST', body: 'x'.repeat(300_000) });
    expect(await posted.text()).toBe(`a:${'x'.repeat(300_000)}`);
    expect(posted.headers.get('x-name')).toBe('a');
    const headers = (await (await fetch(`${url}/headers`)).json()) as Record<string, string>;
    expect([headers['x-forwarded-for'], headers['host']]).toEqual(['127.0.0.1', new URL(url).host]);
  });

  it('writes nothing about a request, answered or not: a query may hold a token', async () => {
    const [a] = await backends('a');
    const [dead, dying] = [await freePort(), await startBackend('dying')];
    let output = '';
    const query = '?EIO=4&transport=polling&token=hush-hush';
    for (const upstreams of [[a?.port ?? 0], [dead], [dying.port]]) {
      const { url, balancer } = await start(upstreams, (text) => { output += text; });
      await (await fetch(`${url}/socket.io/${query}`)).text();
      await dying.close();
      await (await fetch(`${url}/socket.io/${query}`)).text();
      await fetch(`${url}/socket.io/${query}`, { method: 'POST', body: 'x'.repeat(3_000_000) }).catch(() => null);
      await balancer.stop(2_000);
    }
    expect(output).not.toContain('hush');
  });

  it('makes a tunnel of an upgrade, in both directions', async () => {
    const [a] = await backends('a');
    const { port } = await start([a?.port ?? 0]);
    const socket = connect(port, '127.0.0.1');
    open.push({ close: async () => socket.destroy() });
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
    await eventually(() => text.includes('101 Switching Protocols') && text.includes('a '));
    socket.write('hello');
    await eventually(() => text.endsWith('HELLO'));
  });

  it('goes on without a gateway that died, also for a request with a body', async () => {
    const [a, b] = await backends('a', 'b');
    const { url } = await start([a?.port ?? 0, b?.port ?? 0]);
    await b?.close();
    const answers = await Promise.all(Array.from({ length: 10 }, async () => (await fetch(url, { method: 'POST', body: '1' })).text()));
    expect(new Set(answers)).toEqual(new Set(['a:1']));
  });

  it('offers a request of a session to another gateway only when the first one did not receive it', async () => {
    const [a, b] = await backends('a', 'b');
    const { url } = await start([a?.port ?? 0, b?.port ?? 0]);
    const ofSession = `${url}/socket.io/?EIO=4&transport=polling&sid=abc`;
    const send = async (method: string): Promise<string> => {
      const response = await fetch(ofSession, { method, ...(method === 'POST' ? { body: '1' } : {}) }).catch(() => null);
      return response?.status === 200 ? response.text() : 'failed';
    };
    if (a !== undefined) a.breaks = true;
    const answers: string[] = [];
    for (let turn = 0; turn < 12; turn += 1) answers.push(await send(turn % 4 < 2 ? 'GET' : 'POST'));
    expect((a?.received ?? 0) + (b?.received ?? 0)).toBe(12);
    expect(answers.filter((answer) => answer === 'failed')).toHaveLength(a?.received ?? 0);
    expect(a?.received).toBeGreaterThan(0);
    await a?.close();
    for (let turn = 0; turn < 8; turn += 1) expect(await send(turn % 4 < 2 ? 'GET' : 'POST')).toMatch(/^b/);
  });

  it('leaves nothing on its port when it is killed', async () => {
    const [a] = await backends('a');
    const { balancer, port } = await start([a?.port ?? 0]);
    const family = [balancer.pid, ...descendantsOf(balancer.pid)];
    process.kill(balancer.pid, 'SIGKILL');
    await balancer.exited;
    await allGone(family, 15_000);
    expect(await isPortFree(port)).toBe(true);
  });

  it('uses the gateways that it is told, within a moment', async () => {
    const [a, b] = await backends('a', 'b');
    const { url, balancer } = await start([a?.port ?? 0]);
    expect(await (await fetch(url)).text()).toBe('a');
    balancer.use([b?.port ?? 0]);
    // An old worker of nginx still answers on the connections that it has, until these are idle.
    const answers = (): Promise<string[]> => Promise.all(Array.from({ length: 5 }, async () => (await fetch(url)).text()));
    await eventually(async () => expect(await answers()).toEqual(['b', 'b', 'b', 'b', 'b']));
  });
});

describe('the watch over the gateways', () => {
  it('drops one that is not ready or does not answer, and never all of them', async () => {
    const [a, b] = [await startBackend('a'), await startBackend('b')];
    const silent: Socket[] = [];
    const frozen = createServer((socket) => void silent.push(socket));
    await new Promise<void>((resolve) => frozen.listen(0, '127.0.0.1', resolve));
    const frozenPort = (frozen.address() as { port: number }).port;
    const heard: number[][] = [];
    const watch = watchReadiness({
      ports: () => [a.port, b.port, frozenPort],
      onChange: (ready) => heard.push([...ready]),
      intervalMs: 10,
      timeoutMs: 100,
    });
    const both = [a.port, b.port].sort((one, other) => one - other);
    await eventually(() => expect(heard.at(-1)).toEqual(both));
    a.ready = false;
    await eventually(() => expect(heard.at(-1)).toEqual([b.port]));
    b.ready = false;
    await eventually(() => expect(heard.at(-1)).toEqual([b.port]));
    a.ready = true;
    await eventually(() => expect(heard.at(-1)).toEqual([a.port]));
    expect(heard.every((ports) => ports.length > 0)).toBe(true);
    watch.stop();
    for (const socket of silent) socket.destroy();
    await Promise.all([a.close(), b.close(), new Promise((resolve) => frozen.close(resolve))]);
  });
});
