import type { UserId } from '@skirmish/protocol';
import { startTcpProxy, type TcpProxy } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
/** Every byte that the gateway sends to Postgres goes through here. */
let wire: TcpProxy;
beforeAll(async () => {
  world = await startWorld();
  const url = new URL(world.databaseUrl);
  wire = await startTcpProxy({ targetPort: Number(url.port) });
  url.port = String(wire.port);
  gateway = await startGateway({ ...world, databaseUrl: url.href });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await wire.close();
  await world[Symbol.asyncDispose]();
});

/** Connects, is welcomed and leaves; answers how many bytes that cost on the way to Postgres. */
async function visit(userId: string): Promise<number> {
  const before = wire.bytesSent();
  using _client = await join(gateway, userId);
  return wire.bytesSent() - before;
}
const realm = () => gateway.gateway.realms[0]!;
describe('how often the database is asked about a player', () => {
  it('once at the first connect, and not at all at the next ones, however many', async () => {
    const first = await visit('p1');
    expect(first).toBeGreaterThan(0);
    for (let again = 0; again < 5; again += 1) expect(await visit('p1')).toBe(0);
  });

  it('again after a change that concerns the player, by any process', async () => {
    await visit('p2');
    expect(await visit('p2')).toBe(0);
    await realm().changes.mark(['p2' as UserId]);
    expect(await visit('p2')).toBeGreaterThan(0);
    expect(await visit('p2')).toBe(0);
    await realm().changes.mark(['p3' as UserId]);
    expect(await visit('p2')).toBe(0);
  });

  it('once for many that come at the same time', async () => {
    await visit('p4');
    const one = await (async () => {
      await realm().changes.mark(['p4' as UserId]);
      return visit('p4');
    })();
    // Never seen before: one query as well.
    expect(await visit('p6')).toBe(one);
    await realm().changes.mark(['p5' as UserId]);
    const before = wire.bytesSent();
    const clients = await Promise.all(Array.from({ length: 5 }, () => join(gateway, 'p5')));
    for (const client of clients) client[Symbol.dispose]();
    // One query; its text and its parameters are of the same length.
    expect(wire.bytesSent() - before).toBe(one);
  });
});
