import { eventually, timePasses } from '@skirmish/testing';
import type { Case, Target } from './_conformance-case.ts';
import { handshake, openPolling, pollingPath, RawWebSocket, readOpen, request, separator, webSocketPath } from './_raw-client.ts';
import { openPost } from './_raw-request.ts';

/** What an HTTP answer says, without what differs from run to run. */
const shown = ({ status, body }: { status: number; body: string }): string => `${status} ${body}`;

const sidOf = async (target: Target): Promise<string> => encodeURIComponent((await handshake(target.url)).sid);
const pollOf = (target: Target, sid: string, init: RequestInit = {}) => request(`${target.url}${pollingPath}&sid=${sid}`, init);

async function upgradeRefusal(url: string): Promise<string> {
  const socket = new RawWebSocket(url);
  await socket.closed();
  return socket.refusedWith === null ? `closed ${socket.frames.length}` : String(socket.refusedWith);
}

/** Whether a session that polls is still there: a POST of nothing harmful is taken. */
const isAlive = async (target: Target, sid: string): Promise<string> => shown(await pollOf(target, sid, { method: 'POST', body: '3' }));

const gone = '400 {"code":1,"message":"Session ID unknown"}';

/** Rules of the Engine.IO protocol, version 4: handshake, heartbeat, long-polling, upgrade, closing. */
export const engineCases: Case[] = [
  {
    name: 'a handshake over polling is answered with one open packet',
    expected: { status: 200, type: 'text/plain; charset=UTF-8', upgrades: ['websocket'], pingInterval: 'configured', pingTimeout: 'configured', maxPayload: 65_536, sid: 'long and its own' },
    run: async (target) => {
      const { status, type, body } = await request(target.url + pollingPath);
      const { sid, upgrades, pingInterval, pingTimeout, maxPayload } = readOpen(body);
      const { sid: other } = await handshake(target.url);
      return {
        status, type, upgrades, maxPayload,
        pingInterval: pingInterval === target.pingIntervalMs ? 'configured' : pingInterval,
        pingTimeout: pingTimeout === target.pingTimeoutMs ? 'configured' : pingTimeout,
        sid: body.startsWith('0{') && sid.length >= 20 && sid !== other ? 'long and its own' : 'wrong',
      };
    },
  },
  {
    name: 'a handshake over WebSocket is answered with an open packet that offers no upgrade',
    expected: { upgrades: [], maxPayload: 65_536, kind: '0' },
    run: async (target) => {
      const socket = new RawWebSocket(target.url + webSocketPath);
      const first = String(await socket.next());
      const { upgrades, maxPayload } = readOpen(first);
      socket.close();
      return { upgrades, maxPayload, kind: first.charAt(0) };
    },
  },
  {
    name: 'a handshake with a wrong version is refused',
    expected: { none: '400 {"code":5,"message":"Unsupported protocol version"}', three: '400 {"code":5,"message":"Unsupported protocol version"}', abc: '400 {"code":5,"message":"Unsupported protocol version"}', webSocket: 'closed 0' },
    run: async ({ url }) => ({
      none: shown(await request(`${url}/socket.io/?transport=polling`)),
      three: shown(await request(`${url}/socket.io/?EIO=3&transport=polling`)),
      abc: shown(await request(`${url}/socket.io/?EIO=abc&transport=polling`)),
      webSocket: await upgradeRefusal(`${url}/socket.io/?EIO=abc&transport=websocket`),
    }),
  },
  {
    name: 'a handshake with a wrong transport is refused',
    expected: { none: '400 {"code":0,"message":"Transport unknown"}', abc: '400 {"code":0,"message":"Transport unknown"}', inherited: '400 {"code":0,"message":"Transport unknown"}', webSocket: '400', plainGet: '400 {"code":3,"message":"Bad request"}' },
    run: async ({ url }) => ({
      none: shown(await request(`${url}/socket.io/?EIO=4`)),
      abc: shown(await request(`${url}/socket.io/?EIO=4&transport=abc`)),
      inherited: shown(await request(`${url}/socket.io/?EIO=4&transport=constructor`)),
      webSocket: await upgradeRefusal(`${url}/socket.io/?EIO=4&transport=abc`),
      plainGet: shown(await request(url + webSocketPath)),
    }),
  },
  {
    name: 'a handshake with a wrong method is refused',
    expected: { post: '400 {"code":2,"message":"Bad handshake method"}', put: '400 {"code":2,"message":"Bad handshake method"}', delete: '400 {"code":2,"message":"Bad handshake method"}', head: '400 ' },
    run: async ({ url }) => ({
      post: shown(await request(url + pollingPath, { method: 'POST', body: '4' })),
      put: shown(await request(url + pollingPath, { method: 'PUT', body: '4' })),
      delete: shown(await request(url + pollingPath, { method: 'DELETE' })),
      head: shown(await request(url + pollingPath, { method: 'HEAD' })),
    }),
  },
  {
    name: 'a page of a foreign origin is refused over both transports, one of a listed origin is told so, and a native client has none',
    expected: { foreign: 403, foreignWebSocket: '403', listed: 'https://game.example.com', native: 200, unknownSession: 'https://game.example.com' },
    run: async ({ url }) => {
      const listed = { headers: { origin: 'https://game.example.com' } };
      const allowed = await fetch(url + pollingPath, listed);
      const unknown = await fetch(`${url}${pollingPath}&sid=nobody`, listed);
      await Promise.all([allowed.text(), unknown.text()]);
      const socket = new RawWebSocket(url + webSocketPath, { origin: 'https://evil.example.com' });
      await socket.closed();
      return {
        foreign: (await request(url + pollingPath, { headers: { origin: 'https://evil.example.com' } })).status,
        foreignWebSocket: String(socket.refusedWith),
        listed: allowed.headers.get('access-control-allow-origin'),
        native: (await request(url + pollingPath)).status,
        unknownSession: unknown.headers.get('access-control-allow-origin'),
      };
    },
  },
  {
    name: 'an unknown session is refused',
    expected: { get: gone, post: gone, inherited: gone, webSocket: '400' },
    run: async (target) => ({
      get: shown(await pollOf(target, 'nobody')),
      post: shown(await pollOf(target, 'nobody', { method: 'POST', body: '3' })),
      inherited: shown(await pollOf(target, '__proto__')),
      webSocket: await upgradeRefusal(`${target.url}${webSocketPath}&sid=nobody`),
    }),
  },
  {
    name: 'a payload may hold several packets, both ways',
    expected: { posted: '200 ok', packets: ['40/realm/main', '42/realm/main', '43/realm/main', '43/realm/main'] },
    run: async (target) => {
      const sid = await sidOf(target);
      const connect = await pollOf(target, sid, { method: 'POST', body: `40/realm/main,${JSON.stringify({ token: await target.token() })}` });
      const packets: string[] = [];
      const take = async (): Promise<void> => {
        const { body } = await pollOf(target, sid);
        for (const packet of body.split(separator)) {
          if (packet === '2') await pollOf(target, sid, { method: 'POST', body: '3' });
          else if (!packet.includes('zone:tick')) packets.push(packet.split(',')[0] ?? '');
        }
      };
      while (packets.length < 2) await take();
      const posted = await pollOf(target, sid, { method: 'POST', body: ['1', '2'].map((id) => `42/realm/main,${id}["session:ping",{"atMs":1}]`).join(separator) });
      while (packets.length < 4) await take();
      return { posted: connect.status === 200 ? shown(posted) : shown(connect), packets };
    },
  },
  {
    name: 'a packet of an unknown type ends the session',
    expected: { polling: gone, webSocket: 'closed', middle: gone },
    run: async (target) => {
      const [first, second] = [await sidOf(target), await sidOf(target)];
      await pollOf(target, first, { method: 'POST', body: 'abc' });
      await pollOf(target, second, { method: 'POST', body: '3\x1e\x1e3' });
      const socket = new RawWebSocket(target.url + webSocketPath);
      await socket.next();
      socket.socket.send('abc');
      await socket.closed();
      return { polling: shown(await pollOf(target, first)), middle: shown(await pollOf(target, second)), webSocket: 'closed' };
    },
  },
  {
    name: 'a binary body is refused: binary messages travel as base64',
    expected: { answer: '400 ', after: gone },
    run: async (target) => {
      const sid = await sidOf(target);
      const answer = shown(await pollOf(target, sid, { method: 'POST', body: Buffer.from([4, 1, 2]), headers: { 'content-type': 'application/octet-stream' } }));
      return { answer, after: shown(await pollOf(target, sid)) };
    },
  },
  {
    name: 'a method that long-polling does not know changes nothing',
    expected: { put: '500 ', after: '200 ok' },
    run: async (target) => {
      const sid = await sidOf(target);
      return { put: shown(await pollOf(target, sid, { method: 'PUT', body: '3' })), after: await isAlive(target, sid) };
    },
  },
  {
    name: 'two polls at a time end the session: one is told so, the other is refused',
    expected: { polls: ['200 1', '400 '], after: gone },
    run: async (target) => {
      const sid = await sidOf(target);
      const first = pollOf(target, sid);
      await timePasses(150, 'the first poll arrives and is parked');
      const polls = (await Promise.all([first, pollOf(target, sid)])).map(shown).sort();
      return { polls, after: shown(await pollOf(target, sid)) };
    },
  },
  {
    name: 'two posts at a time end the session: both connections end',
    expected: { second: '400 ', first: 'over', after: gone },
    run: async (target) => {
      const sid = await sidOf(target);
      const first = await openPost(`${target.url}${pollingPath}&sid=${sid}`, '4');
      await timePasses(150, 'the first post arrives and stays open');
      const second = shown(await pollOf(target, sid, { method: 'POST', body: '3' }));
      await first.over();
      return { second, first: 'over', after: shown(await pollOf(target, sid)) };
    },
  },
  {
    name: 'a poll that the client gives up ends the session',
    expected: { after: gone },
    run: async (target) => {
      const sid = await sidOf(target);
      const giving = new AbortController();
      const poll = pollOf(target, sid, { signal: giving.signal }).catch(() => null);
      await timePasses(150, 'the poll arrives and is parked');
      giving.abort();
      await poll;
      return { after: await eventually(async () => ((await isAlive(target, sid)) === gone ? gone : ''), { timeoutMs: 10_000, what: 'the end of the session' }) };
    },
  },
  {
    name: 'a post that the client breaks off ends the session',
    expected: { after: gone },
    run: async (target) => {
      const sid = await sidOf(target);
      const post = await openPost(`${target.url}${pollingPath}&sid=${sid}`, '42');
      await timePasses(150, 'the post arrives and stays open');
      post.destroy();
      return { after: await eventually(async () => { const answer = shown(await pollOf(target, sid, { signal: AbortSignal.timeout(700) })); return answer === gone ? gone : ''; }, { timeoutMs: 10_000, what: 'the end of the session' }) };
    },
  },
  {
    name: 'a body over the limit is refused, and a frame over the limit closes the WebSocket',
    expected: { posted: '413 ', webSocket: 1009, atTheLimit: 'taken' },
    run: async (target) => {
      const posted = shown(await pollOf(target, await sidOf(target), { method: 'POST', body: `4${'x'.repeat(65_536)}` }));
      const socket = new RawWebSocket(target.url + webSocketPath);
      await socket.next();
      socket.socket.send(`3${'x'.repeat(65_536)}`);
      await socket.closed();
      const within = new RawWebSocket(target.url + webSocketPath);
      await within.next();
      within.socket.send(`3${'x'.repeat(65_535)}`);
      const ping = await within.next('a heartbeat');
      within.close();
      return { posted, webSocket: socket.closeCode, atTheLimit: ping === '2' ? 'taken' : ping };
    },
  },
  {
    name: 'heartbeats come over polling, and answering them keeps the session',
    expected: { pings: 4, alive: '200 ok' },
    run: async (target) => {
      const sid = await sidOf(target);
      await pollOf(target, sid, { method: 'POST', body: `40/realm/main,${JSON.stringify({ token: await target.token() })}` });
      let pings = 0;
      while (pings < 4) {
        const { status, body } = await pollOf(target, sid);
        if (status !== 200) return { pings, body };
        if (!body.split(separator).includes('2')) continue;
        pings += 1;
        await pollOf(target, sid, { method: 'POST', body: '3' });
      }
      return { pings, alive: await isAlive(target, sid) };
    },
  },
  {
    name: 'heartbeats come over WebSocket, and answering them keeps the session',
    expected: { pings: 4, closed: null },
    run: async (target) => {
      const socket = new RawWebSocket(target.url + webSocketPath);
      await socket.next();
      socket.socket.send(`40/realm/main,${JSON.stringify({ token: await target.token() })}`);
      let pings = 0;
      while (pings < 4) {
        if ((await socket.next('a heartbeat')) !== '2') continue;
        pings += 1;
        socket.socket.send('3');
      }
      const closed = socket.closeCode;
      socket.close();
      return { pings, closed };
    },
  },
  {
    name: 'whoever does not answer a heartbeat is closed, after the time-out and not before',
    expected: { ping: '2', last: '200 1', after: gone, early: false, webSocket: 'closed' },
    run: async (target) => {
      const sid = await sidOf(target);
      const socket = new RawWebSocket(target.url + webSocketPath);
      const ping = (await pollOf(target, sid)).body;
      const startedAtMs = performance.now();
      const last = shown(await pollOf(target, sid));
      const early = performance.now() - startedAtMs < target.pingTimeoutMs * 0.8;
      await socket.closed();
      return { ping, last, after: shown(await pollOf(target, sid)), early, webSocket: 'closed' };
    },
  },
  {
    name: 'a ping of the client goes the wrong way and ends the session',
    expected: { after: gone, webSocket: 'closed' },
    run: async (target) => {
      const sid = await sidOf(target);
      await pollOf(target, sid, { method: 'POST', body: '2' });
      const socket = new RawWebSocket(target.url + webSocketPath);
      await socket.next();
      socket.socket.send('2');
      await socket.closed();
      return { after: shown(await pollOf(target, sid)), webSocket: 'closed' };
    },
  },
  {
    name: 'a client that says close over polling ends the session, and its parked poll is answered',
    expected: { parked: '200 6', posted: '200 ok', after: gone },
    run: async (target) => {
      const sid = await sidOf(target);
      const parked = pollOf(target, sid);
      await timePasses(150, 'the poll arrives and is parked');
      const posted = shown(await pollOf(target, sid, { method: 'POST', body: '1' }));
      return { parked: shown(await parked), posted, after: shown(await pollOf(target, sid)) };
    },
  },
  {
    name: 'a client that closes its WebSocket is gone',
    expected: { code: 1000 },
    run: async (target) => {
      const socket = new RawWebSocket(target.url + webSocketPath);
      await socket.next();
      socket.socket.close(1000);
      await socket.closed();
      return { code: socket.closeCode };
    },
  },
  {
    name: 'sessions do not mix: what one posts, no other polls',
    expected: { own: 1, other: 0 },
    run: async (target) => {
      const [one, two] = [await openPolling(target.url), await openPolling(target.url)];
      await one.send('40/nowhere,');
      await eventually(() => one.messages.length > 0, { timeoutMs: 10_000, what: 'the refusal' });
      const seen = { own: one.messages.length, other: two.messages.length };
      one.drop();
      two.drop();
      return seen;
    },
  },
];
