import type { EventEmitter } from 'node:events';
import type { Redis } from '@skirmish/redis';
import type { TestGateway } from './_gateway.ts';

/** What stays behind when all clients are gone: counts by name, to be compared with another moment. */
export type Residue = Record<string, number>;

/** Counts handles, timers, listeners, Redis keys that do not expire, Redis connections, and what the gateways still know of sockets. */
export async function residueOf(redis: Redis, gateways: readonly TestGateway[]): Promise<Residue> {
  const residue: Residue = {};
  for (const kind of process.getActiveResourcesInfo()) add(residue, `handle ${kind}`);
  for (const [i, { gateway }] of gateways.entries()) {
    for (const { nsp, transport, sessions, calls } of gateway.realms) {
      const { adapter } = nsp;
      Object.assign(residue, {
        [`adapter rooms ${i}`]: adapter.rooms.size,
        [`adapter sids ${i}`]: adapter.sids.size,
        [`sockets ${i}`]: nsp.sockets.size,
        [`engine clients ${i}`]: nsp.server.engine.clientsCount,
        [`sessions ${i}`]: sessions.size + sessions.userCount,
        [`calls ${i}`]: calls.count,
        [`listeners ${i}`]: [nsp, adapter, nsp.server, nsp.server.engine, nsp.server.httpServer].reduce((sum, emitter) => sum + listenersOf(emitter as unknown as EventEmitter), 0),
      });
      const { directory, sockets, volatileChannels } = transport.stats() as { directory: { rooms: number; pending: number; waiting: number }; sockets: number; volatileChannels: number };
      Object.assign(residue, { [`registered ${i}`]: sockets, [`directory ${i}`]: directory.rooms + directory.pending + directory.waiting, [`channels ${i}`]: volatileChannels });
    }
  }
  residue['listeners of the process'] = listenersOf(process);
  for (const key of await redis.keys('*')) if ((await redis.pttl(key)) === -1) add(residue, `key ${key.split(':').slice(0, 2).join(':')}`);
  residue['Redis connections'] = String(await redis.client('LIST')).trim().split('\n').length;
  return residue;
}

/** What differs between two moments, by name. */
export function changes(before: Residue, after: Residue): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  // A pool may have let go of an idle connection and its timer meanwhile.
  const differs = (name: string): boolean => (name.startsWith('handle ') ? (after[name] ?? 0) > (before[name] ?? 0) : (after[name] ?? 0) !== (before[name] ?? 0));
  return [...names].filter(differs).map((name) => `${name}: ${before[name] ?? 0} → ${after[name] ?? 0}`);
}

/** Bytes in use after a full collection. */
export function heapAfterCollection(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) throw new Error('start Node with --expose-gc');
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

/** The slope of the least-squares line through values at 0, 1, 2, …: how much is added each time. */
export function slopeOf(values: readonly number[]): number {
  const meanX = (values.length - 1) / 2;
  const meanY = values.reduce((sum, value) => sum + value, 0) / values.length;
  const covariance = values.reduce((sum, value, x) => sum + (x - meanX) * (value - meanY), 0);
  return covariance / values.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
}

function add(residue: Residue, name: string): void {
  residue[name] = (residue[name] ?? 0) + 1;
}

function listenersOf(emitter: EventEmitter): number {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}
