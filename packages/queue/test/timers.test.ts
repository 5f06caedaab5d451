import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { timerDelayMsMax } from '../src/index.ts';
import { actOf, openLanes, turnOf } from './_lanes.ts';
import type { Lanes } from './_lanes.ts';

const { combatId } = actOf(1);
const later = (lanes: Lanes, turn: number, delayMs: number, id: string) =>
  lanes.producer.pushLater({ key: 'c1', kind: 'combat.timeout', body: { combatId, turn }, delayMs, id });

describe('a timer', () => {
  it('pushes its command when it is due and not before', async () => {
    await using lanes = await openLanes();
    const seen: { kind: string; turn: number; atMs: number }[] = [];
    await lanes.work(async (command) => void seen.push({ kind: command.kind, turn: turnOf(command), atMs: Date.now() }));
    const startedAtMs = Date.now();
    await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1) });
    await later(lanes, 2, 400, 'c1-2');
    await eventually(() => seen.length === 2, { timeoutMs: 15_000 });
    expect(seen.map(({ kind, turn }) => `${kind}/${turn}`)).toEqual(['combat.act/1', 'combat.timeout/2']);
    expect((seen[1]?.atMs ?? 0) - startedAtMs).toBeGreaterThanOrEqual(395);
  });

  it('of one id waits once, and the same id may come again after it fired', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await lanes.work(async (command) => void seen.push(turnOf(command)));
    await Promise.all([later(lanes, 1, 150, 'c1-1'), later(lanes, 1, 150, 'c1-1'), later(lanes, 1, 150, 'c1-1')]);
    await later(lanes, 2, 300, 'c1-2');
    await eventually(() => seen.includes(2), { timeoutMs: 15_000 });
    expect(seen).toEqual([1, 2]);
    await later(lanes, 3, 0, 'c1-1');
    await eventually(() => seen.includes(3));
  });

  it('takes any text as its id, also names of BullMQ itself', async () => {
    await using lanes = await openLanes();
    const ids = ['7', 'meta', 'wait', 'active', 'a:b:c', 'auth0|x-1', '{r}', '__proto__', '0:1', 'id'];
    const seen: number[] = [];
    await lanes.work(async (command) => void seen.push(turnOf(command)));
    for (const [turn, id] of ids.entries()) await later(lanes, turn, 50, id);
    await eventually(() => seen.length === ids.length);
    expect(seen.sort((a, b) => a - b)).toEqual([...ids.keys()]);
  });

  it('outlives its workers', async () => {
    await using lanes = await openLanes();
    const first = await lanes.work(async () => undefined);
    await later(lanes, 1, 300, 'c1-1');
    await first.close();
    const seen: number[] = [];
    await lanes.work(async (command) => void seen.push(turnOf(command)));
    await eventually(() => seen.length === 1);
  });

  it('is refused with a delay that is no delay', async () => {
    await using lanes = await openLanes();
    for (const delayMs of [-1, Number.NaN, timerDelayMsMax + 1]) await expect(later(lanes, 1, delayMs, 'x')).rejects.toThrow(RangeError);
    await expect(later(lanes, 1, 1, '')).rejects.toThrow(TypeError);
  });
});
