import type { Case } from './_conformance-case.ts';
import { pollOf, shown, upgradeRefusal } from './_engine-request.ts';
import { handshake, pollingPath, RawWebSocket, readOpen, request, webSocketPath } from './_raw-client.ts';

const gone = '400 {"code":1,"message":"Session ID unknown"}';

/** Rules of the Engine.IO protocol, version 4, about handshakes and about sessions that nobody knows. */
export const handshakeCases: Case[] = [
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
];
