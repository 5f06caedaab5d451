import { eventually, timePasses } from '@skirmish/testing';
import type { Case } from './_conformance-case.ts';
import { endOf, isAlive, pollOf, shown, sidOf } from './_engine-request.ts';
import { openPolling, pollingPath, RawWebSocket, separator, webSocketPath } from './_raw-client.ts';
import { openPost } from './_raw-request.ts';

const gone = '400 {"code":1,"message":"Session ID unknown"}';

/** Rules of the Engine.IO protocol, version 4: payloads, long-polling, heartbeats, closing. */
export const engineCases: Case[] = [
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
          else if (!/"(zone:tick|session:position)"/.test(packet)) packets.push(packet.split(',')[0] ?? '');
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
    name: 'a poll that the client gives up ends the session at once, not only at the next heartbeat',
    expected: 'gone at once',
    run: (target) => endOf(target, async (sid) => {
      const giving = new AbortController();
      const poll = pollOf(target, sid, { signal: giving.signal }).catch(() => null);
      await timePasses(150, 'the poll arrives and is parked');
      giving.abort();
      await poll;
    }),
  },
  {
    name: 'a post that the client breaks off ends the session at once, not only at the next heartbeat',
    expected: 'gone at once',
    run: (target) => endOf(target, async (sid) => {
      const post = await openPost(`${target.url}${pollingPath}&sid=${sid}`, '42');
      await timePasses(150, 'the post arrives and stays open');
      post.destroy();
    }),
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
      // From before the handshake: a ping that is read late makes no time-out early.
      const startedAtMs = performance.now();
      const sid = await sidOf(target);
      const socket = new RawWebSocket(target.url + webSocketPath);
      const ping = (await pollOf(target, sid)).body;
      const last = shown(await pollOf(target, sid));
      const early = performance.now() - startedAtMs < target.pingIntervalMs + target.pingTimeoutMs * 0.8;
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
