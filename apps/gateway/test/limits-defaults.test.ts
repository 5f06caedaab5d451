import { type ClientEventName, clientEventNames, defaultRateOf, parseClientPayload, Rejection } from '@skirmish/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TokenBuckets } from '../src/connection/token-buckets.ts';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';
import { noLadder } from './_limits.ts';

/** What the contract promises: per second, and at once after a pause. Numbers are written out, so that a changed one is noticed. */
const promised: Partial<Record<string, readonly [perSecond: number, burst: number]>> = {
  'chat:send': [10, 20],
  'chat:typing': [1 / 3, 1],
  // Surplus is coalesced, and refused above this only.
  'character:move': [60, 60],
  'character:emote': [1 / 2, 1],
  'combat:act': [20, 20],
  'combat:start': [2, 2],
  'party:data': [50, 50],
  'party:*': [5, 5],
  'everything else': [20, 20],
};
const promiseOf = (event: ClientEventName): readonly [number, number] => promised[event] ?? promised[`${event.split(':')[0] ?? ''}:*`] ?? promised['everything else'] ?? [0, 0];

const channel = { kind: 'zone', id: 'meadow' } as const;
const needed: Partial<Record<ClientEventName, object>> = { 'chat:typing': { channel }, 'chat:send': { commandId: 'x', channel, text: 'hello' } };

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

/** How many calls pass per second in the long run, and how many at one moment. */
function passedBy(event: ClientEventName): readonly [inASecond: number, atOnce: number] {
  const rate = defaultRateOf(event);
  const perSecond = rate.strikePerSecond ?? rate.ratePerSecond;
  const bounds = { ratePerSecond: perSecond, burst: rate.strikePerSecond ?? rate.burst };
  const buckets = new TokenBuckets(1);
  const passes = (atMs: number): boolean => buckets.take('u', rate.bucket, bounds, atMs) === 0;
  const atOnce = Array.from({ length: 100 }, () => passes(0)).filter(Boolean).length;
  // Over two minutes, so that rates below one per second show as well.
  let later = 0;
  for (let atMs = 5; atMs <= 120_000; atMs += 5) if (passes(atMs)) later += 1;
  return [later / 120, atOnce];
}

describe('the default limits', () => {
  it.each(clientEventNames.map((event) => [event] as const))('[RAT1] of %s are those of the contract', (event) => {
    const [perSecond, burst] = promiseOf(event);
    const [inASecond, atOnce] = passedBy(event);
    expect(atOnce).toBe(burst);
    expect(inASecond).toBeGreaterThan(perSecond * 0.95);
    expect(inASecond).toBeLessThanOrEqual(perSecond * 1.01);
  });

  it('[RAT3] of the commands of parties count together', () => {
    const buckets = new TokenBuckets(1);
    const names = clientEventNames.filter((event) => event.startsWith('party:') && event !== 'party:data');
    expect(names.length).toBeGreaterThanOrEqual(7);
    const taken = names.map((event) => buckets.take('u', defaultRateOf(event).bucket, defaultRateOf(event), 0));
    expect(taken.filter((retryAfterMs) => retryAfterMs === 0).length).toBe(5);
  });

  it.each([
    ['chat:typing', 'p1'],
    ['session:ping', 'p2'],
    ['zone:roster', 'p3'],
    ['character:move', 'p4'],
    ['combat:act', 'p5'],
    ['chat:send', 'p6'],
  ] as const)('[RAT1] of %s bind a client, who hears when it may go on', async (event, userId) => {
    using client = await join(gateway, userId);
    const [perSecond, burst] = promiseOf(event);
    const payload = (n: number): object => needed[event] ?? sampleOf(event, n);
    const startedAtMs = performance.now();
    const answers = await Promise.all(Array.from({ length: burst + 12 }, (_, n) => client.ask(event, payload(n))));
    const refillable = Math.ceil(((performance.now() - startedAtMs) / 1000) * perSecond) + 1;
    const limited = answers.filter((answer) => !answer.ok && answer.error.code === 'rate/limited');
    expect(limited.length).toBeLessThanOrEqual(12);
    expect(limited.length).toBeGreaterThanOrEqual(12 - refillable);
    for (const answer of limited) {
      if (answer.ok) continue;
      expect(answer.error.retryAfterMs).toBeGreaterThan(0);
      expect(answer.error.retryAfterMs).toBeLessThanOrEqual(Math.ceil(1000 / perSecond));
    }
  });
});

function sampleOf(event: ClientEventName, n: number): object {
  const samples: Partial<Record<ClientEventName, object>> = {
    'session:ping': { atMs: 1 },
    'zone:roster': { zoneId: 'meadow' },
    'character:move': { seq: n, x: 404, y: 400 },
    'combat:act': { commandId: `c${n}`, combatId: 'none', turn: 1, action: { kind: 'attack' } },
  };
  const sample = samples[event];
  if (!sample) throw new Rejection('event/unknown');
  parseClientPayload(event, sample);
  return sample;
}
