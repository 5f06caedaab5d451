import { createEmitter } from '@skirmish/emitter';
import { announceReady } from '@skirmish/observability';
import type { RealmId, RoomName } from '@skirmish/protocol';
import { createRedis, whenReady } from '@skirmish/redis';
import type { Emission } from './_delivery-checker.ts';

/**
 * A process without sockets that emits numbered events to rooms at a steady rate, and prints the realm-clock id of each: the truth that a
 * checker compares with. It hears `start` with the rooms, and `stop`, which it answers when every emission has its id.
 */
export type TrafficOrder = { type: 'start'; sender: string; rooms: { room: RoomName; perSecond: number }[] } | { type: 'stop' };
export type TrafficReport = { emitted: Emission[] } | { stopped: true } | { failed: string };

const tickMs = 20;
const redis = createRedis({ url: process.env['REDIS_URL'] ?? '', name: 'numbered-worker', role: 'command' });
await whenReady(redis);
const emitter = createEmitter({ redis, realm: (process.env['REALMS'] ?? '') as RealmId, epochGraceMs: 200 });

const numbers = new Map<string, number>();
const underWay = new Set<Promise<void>>();
let emitted: Emission[] = [];
let timer: NodeJS.Timeout | undefined;

const tell = (report: TrafficReport): void => {
  process.stdout.write(`${JSON.stringify(report)}\n`);
};

function emitNext(sender: string, room: RoomName): void {
  const source = `${sender}/${room}`;
  const number = (numbers.get(source) ?? 0) + 1;
  numbers.set(source, number);
  const emission = emitter.emit({ rooms: [room] }, 'app:n', { sender: source, number }).then(
    ({ id }) => { emitted.push({ room, sender: source, number, id }); },
    (error: unknown) => { tell({ failed: String(error) }); },
  );
  underWay.add(emission);
  void emission.finally(() => underWay.delete(emission));
}

function flush(): void {
  if (emitted.length > 0) tell({ emitted });
  emitted = [];
}

function start({ sender, rooms }: Extract<TrafficOrder, { type: 'start' }>): void {
  const due = rooms.map((entry) => ({ ...entry, count: Math.random() }));
  let before = performance.now();
  clearInterval(timer);
  timer = setInterval(() => {
    const now = performance.now();
    for (const entry of due) {
      entry.count += Math.min(1, (now - before) / 1000) * entry.perSecond;
      for (; entry.count >= 1; entry.count -= 1) emitNext(sender, entry.room);
    }
    before = now;
    flush();
  }, tickMs);
}

async function stop(): Promise<void> {
  clearInterval(timer);
  await Promise.all(underWay);
  flush();
  tell({ stopped: true });
}

process.on('message', (order: TrafficOrder) => {
  if (order.type === 'start') start(order);
  else void stop();
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));
announceReady({ role: 'combat-worker', id: `numbered-worker-${process.pid}` });
