import { createEmitter } from '@skirmish/emitter';
import { createLogger } from '@skirmish/observability';
import type { PartyId, RealmId, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { createRedis, whenReady } from '@skirmish/redis';
import { eventually, startRedis, uniqueRealm } from '@skirmish/testing';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import { expect, it } from 'vitest';
import { startGateway, startWorld, tokenFor } from './_gateway.ts';
import type { TestGateway } from './_gateway.ts';
import { changes, heapAfterCollection, residueOf, slopeOf } from './_residue.ts';

const cycles = 10;
/** 500 in the long form. */
const sockets = Number(process.env['CHURN_SOCKETS'] ?? 100);
const socketsOfParty = 25;
/** Far longer than a step takes: a busy machine makes it slow, not wrong. */
const patienceMs = 120_000;
/** Heap that a cycle may leave behind; noise of the collector is below it, a kept socket per client far above. */
const heapBytesMaxPerCycle = 300_000;

const userOf = (n: number): UserId => `p${n + 1}` as UserId;
/** Each way in which a client ends. */
const farewells: ((socket: Socket) => void)[] = [
  (socket) => socket.disconnect(),
  (socket) => (socket.io.engine as { close(): void }).close(),
  (socket) => (socket.io.engine.transport as unknown as { ws: { terminate(): void } }).ws.terminate(),
  // Broken framing: it is the gateway that closes.
  (socket) => (socket.io.engine as unknown as { write(text: string): void }).write('9'),
  // A room of its own, and then out by the server.
  (socket) => { socket.emit('chat:typing', { channel: { kind: 'zone', id: 'meadow' } }); },
];
const kickedOf = (n: number): boolean => n % farewells.length === 4;

it(`ten cycles of ${sockets} sockets leave nothing behind: handles, listeners, timers, keys, rooms, Redis connections, heap`, async () => {
  await using server = await startRedis();
  await using world = await startWorld(sockets);
  const env = { REDIS_URL: server.url, REALMS: uniqueRealm(), RATE_LIMIT_SCALE: '1000', RENEW_INTERVAL_MS: '1000', HANDSHAKES_PER_SECOND_MAX: '10000', HANDSHAKES_PER_ADDRESS_PER_SECOND: '10000', CONNECT_TIMEOUT_MS: '60000' };
  const logger = createLogger({ name: 'gateway', level: 'silent' });
  const gateways = [await startGateway(world, env, { logger }), await startGateway(world, env, { logger })] as const;
  const redis = createRedis({ url: server.url, name: 'churn', role: 'command' });
  await whenReady(redis);
  const emitter = createEmitter({ redis, realm: env.REALMS as RealmId, epochGraceMs: 0 });
  const tokens = await Promise.all(Array.from({ length: sockets }, (_, n) => tokenFor(userOf(n))));
  const empty = async (): Promise<void> => {
    await eventually(async () => {
      const left = gateways.flatMap(({ gateway }) => gateway.realms.map(({ nsp }) => nsp.adapter.rooms.size + nsp.server.engine.clientsCount));
      expect(left).toEqual([0, 0]);
      expect(await redis.keys('*:room:*')).toEqual([]);
    }, { timeoutMs: patienceMs, what: 'everybody to be gone' });
  };

  /** Everybody connects, joins a party by emission, a third loses the connection and comes back, leaves or stays in the party, and ends. */
  async function cycle(number: number): Promise<void> {
    const clients = tokens.map((token, n) => clientOf(gateways[(n + number) % 2] ?? gateways[0], token));
    const refusals = new Set<string>();
    for (const socket of clients) socket.on('connect_error', (error) => refusals.add(error.message));
    const all = async (what: string): Promise<void> => {
      await eventually(() => { expect(clients.filter((socket) => !socket.connected).length, [...refusals].join()).toBe(0); }, { timeoutMs: patienceMs, what });
    };
    await all('everybody to be in');
    const parties = Array.from({ length: sockets / socketsOfParty }, (_, n) => ({ party: roomOf.party(`churn-${n}` as PartyId), users: clients.slice(n * socketsOfParty, (n + 1) * socketsOfParty).map((__, i) => roomOf.user(userOf(n * socketsOfParty + i))) }));
    for (const { party, users } of parties) await emitter.join({ rooms: users }, [party]);
    const heard = new Set<Socket>();
    for (const socket of clients) socket.on('app:in-party', () => heard.add(socket));
    for (const { party } of parties) await emitter.emit({ rooms: [party] }, 'app:in-party', { number });
    await eventually(() => heard.size === sockets, { timeoutMs: patienceMs, what: 'everybody to hear its party' });
    const returning = clients.filter((_, n) => n % 3 === number % 3);
    for (const socket of returning) (socket.io.engine as { close(): void }).close();
    await eventually(() => returning.every((socket) => !socket.connected), { timeoutMs: patienceMs });
    await all('everybody to be back');
    for (const { party, users } of parties.slice(parties.length / 2)) await emitter.join({ rooms: users }, [party]);
    for (const { party, users } of parties.slice(parties.length * 3 / 4)) await emitter.leave({ rooms: users }, [party]);
    for (const [n, socket] of clients.entries()) {
      if (!kickedOf(n)) socket.io.reconnection(false);
      farewells[n % farewells.length]?.(socket);
    }
    await emitter.disconnect({ rooms: clients.flatMap((_, n) => (kickedOf(n) ? [roomOf.user(userOf(n))] : [])) }, { code: 'server/disconnected', message: 'the end' });
    await eventually(() => clients.every((socket) => !socket.connected), { timeoutMs: patienceMs, what: 'everybody to be out' });
    for (const socket of clients) socket.removeAllListeners().disconnect();
    await empty();
  }

  await cycle(0);
  const before = await eventually(async () => {
    const residue = await residueOf(redis, gateways);
    // What lingers for a while, and ends by itself, is nothing to compare with.
    expect(Object.entries(residue).filter(([name, count]) => count > 0 && /^directory|:presence-/.test(name))).toEqual([]);
    return residue;
  }, { timeoutMs: patienceMs });
  const heap: number[] = [];
  for (let number = 1; number < cycles; number += 1) {
    await cycle(number);
    heap.push(heapAfterCollection());
  }
  await eventually(async () => { expect(changes(before, await residueOf(redis, gateways))).toEqual([]); }, { timeoutMs: patienceMs });
  // The first cycles fill caches of the runtime.
  const slope = slopeOf(heap.slice(2));
  process.stderr.write(`heap ${heap.map((bytes) => Math.round(bytes / 1e3)).join(' ')} kB, slope ${Math.round(slope / 1e3)} kB per cycle\n`);
  expect(slope).toBeLessThan(heapBytesMaxPerCycle);
  redis.disconnect();
  for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
}, 600_000);

function clientOf({ url, realm }: TestGateway, token: string): Socket {
  return io(`${url}/realm/${realm}`, { auth: { token }, transports: ['websocket'], forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 500, timeout: patienceMs });
}
