import type { RoomName } from '@skirmish/protocol';
import { compareStreamIds } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join } from './_gateway.ts';
import { putInCombat, type RoomsBench, startRoomsBench } from './_rooms.ts';

let bench: RoomsBench;
beforeAll(async () => {
  bench = await startRoomsBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** Numbered events from two gateways at once, until it is stopped; `done` are those whose emission has resolved, with their place in the order. */
function startTraffic(room: RoomName): { readonly done: { n: number; id: string }[]; stop(): Promise<void> } {
  const done: { n: number; id: string }[] = [];
  let next = 0;
  let running = true;
  const send = async (index: number): Promise<void> => {
    while (running) {
      const n = next++;
      const { id } = await bench.served(index).transport.emitter.emit({ rooms: [room] }, 'app:n', { n });
      done.push({ n, id });
    }
  };
  const senders = [send(1), send(2)];
  return {
    done,
    stop: async () => {
      running = false;
      await Promise.all(senders);
    },
  };
}

const heardBy = (client: Client): { n: number; id: string }[] =>
  client.heard.filter(({ event }) => event === 'app:n').map(({ args }) => ({ n: (args[0] as { n: number }).n, id: String(args[1]) }));

describe('a join and a leave under traffic', () => {
  it('cut one piece out of the order: nothing missing in it, nothing from before the join was asked for, nothing from after the leave', async () => {
    const room = 'combat:busy' as RoomName;
    const traffic = startTraffic(room);
    using client = await join(bench.gateways[0]!, 'p1');
    const session = bench.session(0, 'p1');
    putInCombat(session, 'busy');
    const { rooms } = bench.served(0);
    for (let round = 0; round < 25; round += 1) {
      await eventually(() => traffic.done.length > 0);
      client.heard.length = 0;
      const before = [...traffic.done];
      await rooms.joinRoom(session, room);
      const sinceJoin = traffic.done.length;
      await eventually(() => traffic.done.length > sinceJoin + 10, { timeoutMs: 10_000 });
      const beforeLeave = traffic.done.length;
      await rooms.leaveRoom(session, room);
      const sinceLeave = traffic.done.length;
      await eventually(() => traffic.done.length > sinceLeave + 10, { timeoutMs: 10_000 });
      // Everything that is on its way to this client stands before an event that is emitted now.
      await rooms.broadcastToRoom('user:p1' as RoomName, 'app:end', { round });
      await client.hears<{ round: number }>('app:end' as never, (end) => end.round === round);
      const heard = heardBy(client);
      const [first, last] = [heard[0]!, heard.at(-1)!];
      const inside = traffic.done.filter(({ id }) => compareStreamIds(id, first.id) >= 0 && compareStreamIds(id, last.id) <= 0).sort((a, b) => compareStreamIds(a.id, b.id));
      expect(heard).toEqual(inside);
      for (const { id } of before) expect(compareStreamIds(id, first.id)).toBeLessThan(0);
      const afterJoin = traffic.done.slice(sinceJoin, beforeLeave).filter(({ n }) => !heard.some((each) => each.n === n));
      // Two emissions may be under way while the join is made: those resolved after it may have their place before it.
      expect(afterJoin.every(({ id }) => compareStreamIds(id, first.id) < 0)).toBe(true);
      expect(afterJoin.length).toBeLessThanOrEqual(2);
      const afterLeave = traffic.done.slice(sinceLeave).filter(({ n }) => heard.some((each) => each.n === n));
      expect(afterLeave.length).toBeLessThanOrEqual(2);
    }
    await traffic.stop();
  }, 60_000);

  it('begin and end at the promise: what is emitted once the join has resolved arrives, what is emitted once the leave has does not', async () => {
    const room = 'combat:quiet' as RoomName;
    using client = await join(bench.gateways[0]!, 'p3');
    const session = bench.session(0, 'p3');
    putInCombat(session, 'quiet');
    const { rooms } = bench.served(0);
    const emit = (index: number, n: number) => bench.served(index).transport.emitter.emit({ rooms: [room] }, 'app:n', { n });
    for (let n = 0; n < 300; n += 3) {
      await emit(n % 2, n);
      await rooms.joinRoom(session, room);
      await emit(1 + (n % 2), n + 1);
      await rooms.leaveRoom(session, room);
      await emit(2 - (n % 2), n + 2);
    }
    await rooms.broadcastToRoom('user:p3' as RoomName, 'app:end', {});
    await client.hears('app:end' as never);
    expect(heardBy(client).map(({ n }) => n)).toEqual(Array.from({ length: 100 }, (_, i) => 3 * i + 1));
  }, 60_000);

  it('are refused while the socket is gone or Redis does not order them, and leave no half of themselves', async () => {
    const client = await join(bench.gateways[0]!, 'p5');
    const session = bench.session(0, 'p5');
    putInCombat(session, 'late');
    client.socket.disconnect();
    await eventually(() => !session.socket.connected);
    await expect(bench.served(0).rooms.joinRoom(session, 'combat:late' as RoomName)).rejects.toMatchObject({ code: 'server/unavailable' });
    await eventually(async () => expect((await bench.keys()).filter((key) => key.includes('combat:late'))).toEqual([]), { timeoutMs: 10_000 });
  });
});
