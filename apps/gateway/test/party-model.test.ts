import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorld, type TestWorld } from './_gateway.ts';
import { PartyModel } from './_party-model.ts';
import { history, PartyWorld } from './_party-world.ts';

/** Histories at a time, each in a realm of its own, and how many of each; `PARTY_HISTORIES` multiplies them. */
const lanes = 3;
const runsPerLane = 4 * Number(process.env['PARTY_HISTORIES'] ?? 1);

let world: TestWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

it('[PTY1] [PTY4] [PTY7] [PTY8] [PTY9] parties are what a model of plain rules says, through commands at once, drops, crashes, resumes and time', async () => {
  const ended = await Promise.allSettled(Array.from({ length: lanes }, () => fc.assert(fc.asyncProperty(history, async (steps) => {
    await using parties = await PartyWorld.start(world);
    for (const step of steps) await parties.play(step);
    await parties.end();
  }), { numRuns: runsPerLane, endOnFailure: true })));
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
}, 600_000 * Math.max(1, runsPerLane / 4));

it('the model itself keeps to the rules that need no time', () => {
  const model = new PartyModel();
  model.do({ op: 'create', user: 'a' }, 'one', 0);
  expect(model.do({ op: 'accept', user: 'b', partyId: 'one' }, '', 0)).toBe('party/not-invited');
  model.do({ op: 'invite', user: 'a', target: 'b' }, '', 0);
  expect(model.do({ op: 'accept', user: 'b', partyId: 'one' }, '', 0)).toBe('a: a b');
  model.away.add('a');
  model.passWindow();
  expect(model.partyOf('b')?.leader).toBe('b');
  model.do({ op: 'leave', user: 'b' }, '', 0);
  expect(model.parties).toEqual([]);
});
