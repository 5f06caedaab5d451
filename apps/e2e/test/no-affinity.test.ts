import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { eventually, timePasses } from '@skirmish/testing';
import { roomOf } from '@skirmish/protocol';
import { whenReady } from '@skirmish/redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, type GatewayHandle, startCluster } from './_cluster.ts';
import { type Nginx, startNginx } from './_nginx.ts';
import { Player } from './_player.ts';

// A frozen owner is noticed after both; a gateway or a test that stands still for some seconds ends nobody's session.
const heartbeats = { PING_INTERVAL_MS: '1000', PING_TIMEOUT_MS: '5000' };
const portsOf = (gateways: readonly GatewayHandle[]): number[] => gateways.map(({ url }) => Number(new URL(url).port));

/** Over a connection of its own, which ends with the answer: no idle one of ours stands between those of the gateways. */
function ask(gateway: GatewayHandle, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`${gateway.internalUrl}${path}`, { agent: false }, (response) => { text(response).then(resolve, reject); }).once('error', reject);
  });
}

async function metric(gateway: GatewayHandle, name: string): Promise<number> {
  const lines = (await ask(gateway, '/metrics')).split('\n');
  return lines.filter((line) => line.startsWith(name)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** After a freeze: it has renewed, or has been condemned meanwhile and has registered anew. */
const isBack = async (gateway: GatewayHandle): Promise<boolean> => {
  const health = await ask(gateway, '/health');
  return health.includes('"registered":true') && Number(/"renewedAgoMs":(\d+)/.exec(health)?.[1] ?? Infinity) < 4_000;
};

const sumOf = async (gateways: readonly GatewayHandle[], name: string): Promise<number> =>
  (await Promise.all(gateways.map((gateway) => metric(gateway, name)))).reduce((sum, value) => sum + value, 0);

describe('three gateways behind nginx, round robin per request', () => {
  let cluster: Cluster;
  let nginx: Nginx;
  const players: Player[] = [];
  beforeAll(async () => {
    cluster = await startCluster({ gateways: 3, combatWorkers: 0, moderationWorkers: 0, env: { LOG_LEVEL: 'debug', RATE_LIMIT_SCALE: '20', ...heartbeats } });
    nginx = await startNginx(portsOf(cluster.gateways));
  }, 60_000);
  afterAll(async () => {
    for (const player of players) player.close();
    await nginx[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  async function connect(userId: string, transports: ('polling' | 'websocket')[], reconnection = false): Promise<Player> {
    const player = new Player({ url: nginx.url, realm: cluster.realm, token: await cluster.token(userId), transports, reconnection });
    players.push(player);
    await player.connect();
    return player;
  }

  const ownerOf = (player: Player): GatewayHandle | undefined =>
    cluster.gateways.find(({ incarnation }) => player.socket.io.engine.id.startsWith(`${incarnation}.`));

  it('two thirds of the requests of polling sessions are forwarded', async () => {
    const before = await sumOf(cluster.gateways, 'skirmish_forwarded_requests_total');
    let requests = 0;
    for (let session = 0; session < 4; session += 1) {
      const opened = await (await fetch(`${nginx.url}/socket.io/?EIO=4&transport=polling`)).text();
      const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
      const url = `${nginx.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      const send = async (body: string): Promise<void> => {
        requests += 1;
        expect(await (await fetch(url, { method: 'POST', body })).text()).toBe('ok');
      };
      const hear = async (what: string): Promise<void> => {
        for (let heard = ''; !heard.includes(what); requests += 1) {
          const packets = await (await fetch(url)).text();
          heard += packets;
          if (packets.split('\x1e').includes('2')) await send('3');
        }
      };
      await send(`40/realm/main,${JSON.stringify({ token: await cluster.token(`p${session + 1}`) })}`);
      await hear('session:welcome');
      for (let id = 0; id < 12; id += 1) {
        await send(`42/realm/main,${id}["session:ping",{"atMs":${id}}]`);
        await hear(`43/realm/main,${id}[`);
      }
      await send('41/realm/main,');
    }
    const share = ((await sumOf(cluster.gateways, 'skirmish_forwarded_requests_total')) - before) / requests;
    expect(share, `of ${requests}`).toBeGreaterThan(0.6);
    expect(share, `of ${requests}`).toBeLessThan(0.73);
  }, 60_000);

  it.each([
    ['polling only', ['polling']],
    ['WebSocket only', ['websocket']],
    ['polling, then upgraded', ['polling', 'websocket']],
  ] as const)('%s: answers, events in their order and large texts arrive whole', async (_name, transports) => {
    const emitter = cluster.emitter();
    const clients = await Promise.all([5, 6, 7, 8, 9, 10].map((number) => connect(`p${number}`, [...transports])));
    const last = transports.at(-1) ?? 'polling';
    await eventually(() => clients.every(({ socket }) => socket.io.engine.transport.name === last), { timeoutMs: 15_000, what: 'the upgrades' });
    const tunnels = (): Promise<number> => sumOf(cluster.gateways, 'skirmish_tunnelled_websockets');
    // An upgrade may come to the owner by chance, also all six of them.
    for (let more = 0; transports.length === 2 && (await tunnels()) === 0; more += 1) {
      expect(more).toBeLessThan(9);
      const further = await connect(`p${more + 11}`, [...transports]);
      clients.push(further);
      await eventually(() => further.socket.io.engine.transport.name === last, { what: 'another upgrade' });
    }
    const large = 'ünïcödé ✓ 𝄞 \u0000 "\\ '.repeat(1_200);
    for (const client of clients) {
      const heard: { n: number; text?: string }[] = [];
      client.socket.on('app:numbered', (payload: { n: number; text?: string }) => heard.push(payload));
      const { userId } = await client.next('session:welcome');
      const emissions = Array.from({ length: 30 }, (_none, n) => emitter.emit({ rooms: [roomOf.user(userId)] }, 'app:numbered', n === 15 ? { n, text: large } : { n }));
      const answers = Array.from({ length: 20 }, (_none, atMs) => client.ask('session:ping', { atMs }));
      await Promise.all([...emissions, ...answers]);
      await eventually(() => heard.length === 30, { timeoutMs: 15_000, what: 'thirty events' });
      const positions = client.received.flatMap(({ event, position }) => (event === 'app:numbered' && position !== undefined ? [position] : []));
      const inOrder = [...positions].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
      expect(positions).toEqual(inOrder);
      expect(new Set(positions).size).toBe(30);
      expect(heard.find(({ n }) => n === 15)?.text === large).toBe(true);
    }
    for (const client of clients) client.close();
    await eventually(async () => (await sumOf(cluster.gateways, 'skirmish_tunnelled_websockets')) === 0, { what: 'the tunnels to be gone' });
  }, 90_000);

  it('clients that come and vanish leave no connection between gateways behind', async () => {
    const sum = (name: string): Promise<number> => sumOf(cluster.gateways, `skirmish_${name}{`);
    // The one of each gateway is ours, over which we ask.
    const leftBehind = async (): Promise<number> => (await sum('internal_connections')) - (await sum('forwarding_connections_idle')) - cluster.gateways.length;
    for (let cycle = 0; cycle < 4; cycle += 1) {
      const both = Array.from({ length: 16 }, (_none, index) => connect(`p${(index % 10) + 11}`, index % 2 === 0 ? ['polling'] : ['polling', 'websocket']));
      const clients = await Promise.all(both);
      expect(await sum('internal_connections')).toBeGreaterThan(cluster.gateways.length);
      for (const { socket } of clients) socket.io.engine.close();
      for (const name of ['sockets', 'tunnelled_websockets', 'forwarding_connections_busy']) {
        await eventually(async () => { expect(await sum(name)).toBe(0); }, { timeoutMs: 15_000, what: `${name} to be gone` });
      }
      await eventually(async () => { expect(await leftBehind()).toBe(0); }, { timeoutMs: 15_000, what: 'every connection to be idle and known' });
    }
  }, 90_000);

  it('no session id stands in a log', async () => {
    const player = await connect('p1', ['polling']);
    const [, secret = 'missing'] = player.socket.io.engine.id.split('.');
    await player.ask('session:ping', { atMs: 1 });
    player.close();
    await eventually(() => cluster.gateways.some(({ process }) => process.output().includes('a socket disconnected')));
    expect(secret).toHaveLength(24);
    expect(cluster.gateways.filter(({ process }) => process.output().includes(secret))).toEqual([]);
  }, 30_000);

  it('the owner freezes: its clients notice and go on elsewhere', async () => {
    const clients = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => connect(`p${number}`, ['polling'], true)));
    const victim = ownerOf(clients[0]!)!;
    victim.process.pause();
    try {
      await nginx.use(portsOf(cluster.gateways.filter((gateway) => gateway !== victim)));
      await eventually(() => clients.every((client) => client.socket.connected && ownerOf(client) !== victim), { timeoutMs: 40_000, what: 'all to be elsewhere' });
      for (const client of clients) expect((await client.send('session:ping', { atMs: 1 })).ok).toBe(true);
    } finally {
      victim.process.resume();
      for (const client of clients) client.close();
      await eventually(() => isBack(victim), { what: 'the frozen one to be back' });
      await nginx.use(portsOf(cluster.gateways));
    }
  }, 90_000);

  it('the owner is killed: its clients are told within a moment and go on elsewhere', async () => {
    const clients = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => connect(`p${number}`, number % 2 === 0 ? ['polling'] : ['polling', 'websocket'], true)));
    // Whose WebSocket breaks while it pauses its polling for the upgrade polls no more: such a client notices by the heartbeat only.
    await eventually(() => clients.every(({ socket }, n) => socket.io.engine.transport.name === (n % 2 === 0 ? 'websocket' : 'polling')), { what: 'the upgrades' });
    const victim = ownerOf(clients[0]!)!;
    const orphans = clients.filter((client) => ownerOf(client) === victim);
    await victim.process.kill();
    await eventually(() => orphans.every(({ disconnects }) => disconnects.length > 0), { timeoutMs: 5_000, what: 'the orphans to notice' });
    // nginx notices by itself: the dead one stays in its list.
    await eventually(() => clients.every((client) => client.socket.connected && ownerOf(client) !== victim), { timeoutMs: 40_000, what: 'all to be connected' });
    for (const client of clients) expect((await client.send('session:ping', { atMs: 1 })).ok).toBe(true);
  }, 90_000);
});

describe('hostile session ids', () => {
  it('are refused at once, with what a page needs to read it, and cost Redis nothing', async () => {
    const quiet = { RENEW_INTERVAL_MS: '60000', READ_BLOCK_MS: '10000', SOCKET_CORS_ORIGIN: 'https://game.example.com' };
    await using cluster = await startCluster({ gateways: 2, combatWorkers: 0, moderationWorkers: 0, env: quiet });
    const [one, two] = cluster.gateways as [GatewayHandle, GatewayHandle];
    const secret = 'x'.repeat(24);
    const sids = [
      `AAAAAAAAAAAA.${secret}`, `${two.incarnation}.${secret}`, `${two.incarnation}.`, two.incarnation, `${one.incarnation}.${secret}`, '__proto__', 'constructor', '.', `.${secret}`,
      `${two.incarnation}.${secret}\r\nX-Injected: 1`, `127.0.0.1:1.${secret}`, 'x'.repeat(8_000), `${two.incarnation}/../.${secret}`, '\u0000', `${two.incarnation}.${secret}\u0000`,
    ];
    const redis = cluster.command();
    const calls = async (): Promise<number> => [...(await redis.info('commandstats')).matchAll(/calls=(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
    const headers = { origin: 'https://game.example.com' };
    await whenReady(redis);
    const asked = async (sid: string): Promise<void> => {
      const path = `/socket.io/?EIO=4&transport=polling&sid=${encodeURIComponent(sid)}`;
      for (const answer of await Promise.all([fetch(one.url + path, { headers }), fetch(two.url + path, { method: 'POST', body: '42[]', headers })])) {
        expect(answer.status).toBe(400);
        expect(answer.headers.get('access-control-allow-origin')).toBe('https://game.example.com');
        expect(await answer.json()).toEqual({ code: 1, message: 'Session ID unknown' });
      }
    };
    // The gateways' own work goes on meanwhile, about 13 commands a second: as long a time without requests, in turns, tells how much that is.
    const commands = { asking: 0, idle: 0 };
    for (let turn = 0; turn < 20; turn += 1) {
      const [before, startedAtMs] = [await calls(), performance.now()];
      await Promise.all(sids.map(asked));
      const between = await calls();
      await timePasses(performance.now() - startedAtMs, 'the same time without requests');
      commands.asking += between - before;
      commands.idle += (await calls()) - between;
    }
    // 600 requests.
    expect(commands.asking - commands.idle, JSON.stringify(commands)).toBeLessThan(60 + commands.idle / 4);
    expect((await fetch(`${one.url}/readyz`)).status).toBe(200);
  }, 90_000);
});
