import { eventually, timePasses } from '@skirmish/testing';
import type { Case, Target } from './_conformance-case.ts';
import { shown } from './_engine-request.ts';
import { handshake, openPolling, openUpgraded, pollingPath, RawWebSocket, request, webSocketPath } from './_raw-client.ts';
import { RawNamespace } from './_raw-socket.ts';

const urlOf = ({ url }: Target, sid: string): string => `${url}${pollingPath}&sid=${encodeURIComponent(sid)}`;

/** A WebSocket that asks to take over a session that polls. */
const attach = ({ url }: Target, sid: string): Promise<RawWebSocket> => new RawWebSocket(`${url}${webSocketPath}&sid=${encodeURIComponent(sid)}`).opened();

const mismatch = '400 {"code":3,"message":"Bad request"}';

/** Rules of the Engine.IO protocol, version 4, about the way from long-polling to WebSocket. */
export const upgradeCases: Case[] = [
  {
    name: 'a probe is answered, the parked poll gets a noop, and from then on the session is on the WebSocket',
    expected: { pong: '3probe', parked: '200 6', poll: mismatch, post: mismatch, heartbeat: '2' },
    run: async (target) => {
      const { sid } = await handshake(target.url);
      const parked = request(urlOf(target, sid));
      await timePasses(150, 'the poll arrives and is parked');
      const socket = await attach(target, sid);
      socket.socket.send('2probe');
      const pong = await socket.next('the answer to the probe');
      const noop = shown(await parked);
      socket.socket.send('5');
      // The upgrade packet has been read once the session, which answers polls until then, refuses them.
      const poll = await eventually(async () => {
        const answer = shown(await request(urlOf(target, sid)));
        return answer === mismatch ? answer : '';
      }, { timeoutMs: 10_000, what: 'the end of long-polling' });
      const post = shown(await request(urlOf(target, sid), { method: 'POST', body: '3' }));
      const heartbeat = await socket.next('a heartbeat');
      socket.close();
      return { pong, parked: noop, poll, post, heartbeat };
    },
  },
  {
    name: 'an upgraded session takes no second WebSocket, and goes on',
    expected: { second: 'closed without a frame', first: 'open' },
    run: async (target) => {
      const connection = await openUpgraded(target.url);
      const realm = await new RawNamespace(connection, '/realm/main').enter(await target.token());
      const second = await attach(target, connection.open.sid);
      second.socket.send('2probe');
      await second.closed();
      const first = await realm.state();
      connection.drop();
      return { second: second.frames.length === 0 ? 'closed without a frame' : second.frames, first };
    },
  },
  {
    name: 'while one WebSocket probes, a second one is closed',
    expected: { second: 'closed without a frame', pong: '3probe' },
    run: async (target) => {
      const { sid } = await handshake(target.url);
      const first = await attach(target, sid);
      first.socket.send('2probe');
      const pong = await first.next('the answer to the probe');
      const second = await attach(target, sid);
      await second.closed();
      first.close();
      return { second: second.frames.length === 0 ? 'closed without a frame' : second.frames, pong };
    },
  },
  {
    name: 'a WebSocket that says something else than a probe is closed, and the session goes on polling',
    expected: { socket: 'closed', session: 'open' },
    run: async (target) => {
      const connection = await openPolling(target.url);
      const realm = await new RawNamespace(connection, '/realm/main').enter(await target.token());
      const socket = await attach(target, connection.open.sid);
      socket.socket.send('4hello');
      await socket.closed();
      const session = await realm.state();
      connection.drop();
      return { socket: 'closed', session };
    },
  },
  {
    name: 'a WebSocket that goes away after its probe leaves the session polling',
    expected: { session: 'open' },
    run: async (target) => {
      const connection = await openPolling(target.url);
      const realm = await new RawNamespace(connection, '/realm/main').enter(await target.token());
      const socket = await attach(target, connection.open.sid);
      socket.socket.send('2probe');
      await socket.next('the answer to the probe');
      socket.close();
      const session = await realm.state();
      connection.drop();
      return { session };
    },
  },
  {
    name: 'what was sent by polling is answered on the WebSocket, and nothing is lost or doubled on the way',
    expected: { numbers: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], session: 'open' },
    run: async (target) => {
      const connection = await openUpgraded(target.url);
      const realm = await new RawNamespace(connection, '/realm/main').enter(await target.token());
      for (let number = 1; number <= 10; number++) await realm.send(2, `["chat:send",{"commandId":"n${number}","channel":{"kind":"zone","id":"meadow"},"text":"${number}"}]`);
      const session = await realm.state();
      const numbers = realm.events('app:echo').map(({ payload }) => Number((payload as { text: string }).text));
      connection.drop();
      return { numbers, session };
    },
  },
  {
    name: 'an upgraded session that closes its WebSocket is gone for polling as well',
    expected: { after: '400 {"code":1,"message":"Session ID unknown"}' },
    run: async (target) => {
      const connection = await openUpgraded(target.url);
      connection.drop();
      return {
        after: await eventually(async () => {
          const answer = shown(await request(urlOf(target, connection.open.sid)));
          return answer.includes('"code":1') ? answer : '';
        }, { timeoutMs: 10_000, what: 'the end of the session' }),
      };
    },
  },
];
