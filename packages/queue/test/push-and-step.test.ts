import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { payloadHash } from '../src/index.ts';
import { actOf, commandOf, openLanes, turnOf } from './_lanes.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('a lane', () => {
  it('steps the commands of a key in the order of the pushes, one at a time', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    let inside = 0;
    let insideMax = 0;
    await lanes.work(async (command) => {
      insideMax = Math.max(insideMax, (inside += 1));
      await new Promise(setImmediate);
      seen.push(turnOf(command));
      inside -= 1;
    });
    const positions: number[] = [];
    for (const turn of upTo(100)) positions.push((await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn) })).position);
    await eventually(() => seen.length === 100, { timeoutMs: 15_000 });
    expect(seen).toEqual(upTo(100));
    expect(insideMax).toBe(1);
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
  });

  it('lets other lanes have their turn after 32 commands', async () => {
    await using lanes = await openLanes();
    const order: string[] = [];
    for (const turn of upTo(100)) await lanes.producer.push({ key: 'long', kind: 'combat.act', body: actOf(turn) });
    await lanes.producer.push({ key: 'short', kind: 'combat.act', body: actOf(1) });
    await lanes.work(async (command) => void order.push(command.key), { concurrency: 1 });
    await eventually(() => order.length === 101, { timeoutMs: 15_000 });
    expect(order.indexOf('short')).toBe(32);
  });

  it('takes any text as a key and never mixes two of them up', async () => {
    await using lanes = await openLanes();
    const keys = ['a:b', 'a~3a~b', '{x}:y', '7', '__proto__', 'meta', ' ', '\n\u0000', 'zone:auth0|x', 'us-east-1:é', '👾', 'ß'.repeat(256)];
    const seen = new Map<string, number[]>();
    await lanes.work(async (command) => void seen.set(command.key, [...(seen.get(command.key) ?? []), turnOf(command)]));
    await Promise.all(
      keys.map(async (key) => {
        for (const turn of upTo(5)) await lanes.producer.push({ key, kind: 'combat.act', body: actOf(turn) });
      }),
    );
    await eventually(() => [...seen.values()].flat().length === keys.length * 5, { timeoutMs: 15_000 });
    for (const key of keys) expect(seen.get(key)).toEqual(upTo(5));
  });

  it('leaves nothing but bounded bookkeeping behind when it is empty', async () => {
    await using lanes = await openLanes();
    let done = 0;
    await lanes.work(async () => void (done += 1));
    for (const turn of upTo(40)) await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn) });
    await eventually(() => done === 40, { timeoutMs: 15_000 });
    const keys = keysOf(lanes.realm);
    const left = await eventually(async () => {
      const names = (await lanes.redis.keys(`${keys.prefix}*`)).map((name) => name.slice(keys.prefix.length));
      return !names.some((name) => name.includes(':de:') || /^q:combat:\d+/.test(name)) && names;
    });
    expect(left && left.filter((name) => !name.startsWith('q:'))).toEqual(['lane-state:combat:c1']);
    expect(await lanes.redis.pttl(keys.laneState('combat', 'c1'))).toBeGreaterThan(0);
  });
});

describe('a command id', () => {
  it('has one effect and one answer, also when both pushes run at once', async () => {
    await using lanes = await openLanes();
    const seen: number[] = [];
    await lanes.work(async (command) => void seen.push(turnOf(command)));
    const push = (answer: object) =>
      lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1), command: commandOf('id-1', payloadHash({ turn: 1 }), answer) });
    const [one, other] = await Promise.all([push({ n: 1 }), push({ n: 2 })]);
    const later = await push({ n: 3 });
    expect([one.repeated, other.repeated, later.repeated].sort()).toEqual([false, true, true]);
    expect(other.answer).toEqual(one.answer);
    expect(later).toEqual({ answer: one.answer, position: one.position, repeated: true });
    await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(2) });
    await eventually(() => seen.includes(2));
    expect(seen).toEqual([1, 2]);
  });

  it('with another payload is refused and pushes nothing', async () => {
    await using lanes = await openLanes();
    const push = (turn: number) =>
      lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(turn), command: commandOf('id-1', payloadHash({ turn })) });
    await push(1);
    await expect(push(2)).rejects.toMatchObject({ code: 'payload/invalid', path: 'commandId' });
    expect(await lanes.redis.llen(keysOf(lanes.realm).lane('combat', 'c1'))).toBe(1);
  });

  it('is remembered for 10 minutes', async () => {
    await using lanes = await openLanes();
    const command = commandOf('id-1', 'h');
    await lanes.producer.push({ key: 'c1', kind: 'combat.act', body: actOf(1), command });
    const left = await lanes.redis.pttl(keysOf(lanes.realm).command(command.userId, command.event, command.commandId));
    expect(left).toBeGreaterThan(595_000);
    expect(left).toBeLessThanOrEqual(600_000);
  });
});

describe('the limits of a lane', () => {
  it('refuse with combat/busy when it is full, but a timer still finds room and a repetition its answer', async () => {
    await using lanes = await openLanes();
    const push = (kind: 'combat.act' | 'combat.timeout', turn: number) =>
      kind === 'combat.act'
        ? lanes.producer.push({ key: 'c1', kind, body: actOf(turn), command: commandOf(`id-${turn}`, 'h') })
        : lanes.producer.push({ key: 'c1', kind, body: { combatId: actOf(1).combatId, turn } });
    for (const turn of upTo(200)) await push('combat.act', turn);
    await expect(push('combat.act', 201)).rejects.toMatchObject({ code: 'combat/busy' });
    expect((await push('combat.act', 200)).repeated).toBe(true);
    for (const turn of upTo(56)) await push('combat.timeout', turn);
    await expect(push('combat.timeout', 57)).rejects.toMatchObject({ code: 'combat/busy' });
    expect(await lanes.redis.llen(keysOf(lanes.realm).lane('combat', 'c1'))).toBe(256);
    // The refused command left no answer behind: the same id may come again.
    expect(await lanes.redis.exists(keysOf(lanes.realm).command(commandOf('', '').userId, 'combat:act', 'id-201'))).toBe(0);
  });

  it('refuse a record over 16 KiB and a key that is no key', async () => {
    await using lanes = await openLanes();
    const large = { ...actOf(1), note: 'x'.repeat(16_384) };
    await expect(lanes.producer.push({ key: 'c1', kind: 'combat.act', body: large })).rejects.toMatchObject({ code: 'payload/too-large' });
    await expect(lanes.producer.push({ key: '', kind: 'combat.act', body: actOf(1) })).rejects.toThrow(TypeError);
    await expect(lanes.producer.push({ key: '\ud800', kind: 'combat.act', body: actOf(1) })).rejects.toThrow(TypeError);
  });
});
