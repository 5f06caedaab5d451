import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noLadder } from './_limits.ts';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world, noLadder);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

type Answer = { ok: boolean; error?: { code: string; retryAfterMs?: number } };
const refusedOf = (answers: readonly Answer[]) => answers.filter(({ ok }) => !ok).map(({ error }) => error!);
const zone = { kind: 'zone', id: 'meadow' };
/** Does it, and says how many more a rate per second has given back meanwhile. */
async function timed<T>(perSecond: number, work: () => Promise<T>): Promise<readonly [answers: T, givenBack: number]> {
  const startedAtMs = performance.now();
  const answers = await work();
  return [answers, Math.ceil(((performance.now() - startedAtMs) / 1_000) * perSecond)];
}
const message = (id: string) => ({ commandId: id, channel: zone, text: `hello ${id}` });

describe('limits', () => {
  it('chat:send passes a burst of 20, then refuses with the time to wait', async () => {
    using client = await join(gateway, 'p1');
    const [answers, givenBack] = await timed(10, () => Promise.all(Array.from({ length: 120 }, (_, index) => client.ask('chat:send', message(`a${index}`)))));
    const refused = refusedOf(answers);
    expect(refused.length).toBeLessThanOrEqual(100);
    expect(refused.length).toBeGreaterThanOrEqual(Math.max(1, 100 - givenBack));
    expect(refused.every(({ code, retryAfterMs }) => code === 'rate/limited' && retryAfterMs! > 0 && retryAfterMs! <= 100)).toBe(true);
  });

  it('count for the user, on all its sockets here', async () => {
    using first = await join(gateway, 'p2');
    using second = await join(gateway, 'p2');
    const send = (client: typeof first, from: string) => Promise.all(Array.from({ length: 60 }, (_, index) => client.ask('chat:send', message(`${from}${index}`))));
    const [answers, givenBack] = await timed(10, () => Promise.all([send(first, 'x'), send(second, 'y')]));
    // With a burst for each socket it would be twenty less.
    expect(refusedOf(answers.flat() as Answer[]).length).toBeGreaterThanOrEqual(100 - givenBack);
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
    const startedAtMs = performance.now();
    const typing = (channel: object) => client.ask('chat:typing', { channel }) as Promise<Answer>;
    const [first, again, other] = await Promise.all([typing(zone), typing(zone), typing({ kind: 'guild', id: 'red' })]);
    expect(first).toEqual({ ok: true, data: {} });
    expect(again.error).toMatchObject({ code: 'rate/limited' });
    expect(again.error!.retryAfterMs).toBeGreaterThan(2_900 - (performance.now() - startedAtMs));
    expect(other.error?.code).toBe('room/forbidden');
  });

  it('character:move takes surplus without a refusal, up to 60/s', async () => {
    using client = await join(gateway, 'p6');
    const [answers, givenBack] = await timed(60, () => Promise.all(Array.from({ length: 180 }, (_, index) => client.ask('character:move', { seq: index, x: 406, y: 400 }))));
    const refused = refusedOf(answers);
    expect(refused.length).toBeGreaterThanOrEqual(Math.max(1, 120 - givenBack));
    expect(refused.length).toBeLessThanOrEqual(120);
    expect(refused[0]).toMatchObject({ code: 'rate/limited' });
  });

  it('are multiplied by RATE_LIMIT_SCALE', async () => {
    await using generous = await startGateway(world, { RATE_LIMIT_SCALE: '10' });
    using client = await join(generous, 'p7');
    const answers = await Promise.all(Array.from({ length: 150 }, (_, index) => client.ask('chat:send', message(`d${index}`))));
    expect(refusedOf(answers as Answer[])).toEqual([]);
  });
});
