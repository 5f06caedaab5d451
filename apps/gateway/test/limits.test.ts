import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

type Answer = { ok: boolean; error?: { code: string; retryAfterMs?: number } };
const refusedOf = (answers: readonly Answer[]) => answers.filter(({ ok }) => !ok).map(({ error }) => error!);
const zone = { kind: 'zone', id: 'meadow' };
const message = (id: string) => ({ commandId: id, channel: zone, text: `hello ${id}` });

describe('limits', () => {
  it('chat:send passes a burst of 20, then refuses with the time to wait', async () => {
    using client = await join(gateway, 'p1');
    const answers = await Promise.all(Array.from({ length: 24 }, (_, index) => client.ask('chat:send', message(`a${index}`))));
    const refused = refusedOf(answers);
    expect(refused.length).toBeGreaterThanOrEqual(3);
    expect(refused.every(({ code, retryAfterMs }) => code === 'rate/limited' && retryAfterMs! > 0 && retryAfterMs! <= 100)).toBe(true);
  });

  it('count for the user, on all its sockets here', async () => {
    using first = await join(gateway, 'p2');
    using second = await join(gateway, 'p2');
    const send = (client: typeof first, from: string) => Promise.all(Array.from({ length: 15 }, (_, index) => client.ask('chat:send', message(`${from}${index}`))));
    const answers = (await Promise.all([send(first, 'x'), send(second, 'y')])).flat();
    expect(refusedOf(answers as Answer[]).length).toBeGreaterThanOrEqual(8);
  });

  it('do not touch other events or other users', async () => {
    using client = await join(gateway, 'p3');
    using other = await join(gateway, 'p4');
    await Promise.all(Array.from({ length: 25 }, (_, index) => client.ask('chat:send', message(`b${index}`))));
    expect(await client.ask('session:ping', { atMs: 1 })).toMatchObject({ ok: true });
    expect(await other.ask('chat:send', message('c'))).toMatchObject({ ok: true });
  });

  it('chat:typing counts for each channel: one per 3 s', async () => {
    using client = await join(gateway, 'p5');
    expect(await client.ask('chat:typing', { channel: zone })).toEqual({ ok: true, data: {} });
    const again = (await client.ask('chat:typing', { channel: zone })) as Answer;
    expect(again.error).toMatchObject({ code: 'rate/limited' });
    expect(again.error!.retryAfterMs).toBeGreaterThan(2_000);
    const other = (await client.ask('chat:typing', { channel: { kind: 'guild', id: 'red' } })) as Answer;
    expect(other.error?.code).toBe('room/forbidden');
  });

  it('character:move takes surplus without a refusal, up to 60/s', async () => {
    using client = await join(gateway, 'p6');
    const moves = Array.from({ length: 70 }, (_, index) => client.ask('character:move', { seq: index, x: 406, y: 400 }));
    const refused = refusedOf((await Promise.all(moves)));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(10);
    expect(refused[0]).toMatchObject({ code: 'rate/limited' });
  });

  it('are multiplied by RATE_LIMIT_SCALE', async () => {
    await using generous = await startGateway(world, { RATE_LIMIT_SCALE: '10' });
    using client = await join(generous, 'p7');
    const answers = await Promise.all(Array.from({ length: 150 }, (_, index) => client.ask('chat:send', message(`d${index}`))));
    expect(refusedOf(answers as Answer[])).toEqual([]);
  });
});
