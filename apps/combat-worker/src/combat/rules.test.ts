import { describe, expect, it } from 'vitest';
import type { CharacterId } from '@skirmish/protocol';
import { combatId, entrants, fight, seed } from './_fight.ts';
import { balance } from './balance.ts';
import { chance, seedHashOf } from './chance.ts';
import { decideStart } from './rules.ts';

const circumstances = { seed, nextDeadlineMs: 1_000 };

describe('starting', () => {
  it('[CMB4] [CMB8] begins with seq 1 and turn 1, full health, and the hash instead of the seed', () => {
    const { events } = fight();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ type: 'combat:started', payload: { combatId, seq: 1, turn: 1, deadlineMs: 1_000, seedHash: seedHashOf(seed) } });
    expect(JSON.stringify(events)).not.toContain(seed);
    expect(JSON.stringify(events)).not.toContain('standing');
  });

  it('draws the same order whatever order the entrants come in, and another one from another seed', () => {
    const order = (list: ReturnType<typeof entrants>, withSeed: string) => {
      const decision = decideStart(combatId, list, { ...circumstances, seed: withSeed });
      return decision.kind === 'resolved' ? decision.state.order : [];
    };
    const list = entrants(8);
    expect(order(list.toReversed(), seed)).toEqual(order(list, seed));
    expect(order(list, seed)).toHaveLength(8);
    expect(new Set(['b', 'c', 'd', 'e'].map((other) => order(list, other).join())).size).toBeGreaterThan(1);
  });

  it.each([
    ['nobody', []],
    ['one side only', entrants(4).map((entrant) => ({ ...entrant, side: 0 }))],
    ['the same character twice', [...entrants(2), ...entrants(1)]],
    ['more fighters than the balance allows', entrants(balance.fightersMax + 1)],
  ])('refuses a fight of %s', (_, list) => {
    expect(decideStart(combatId, list, circumstances)).toEqual({ kind: 'refused', code: 'combat/invalid-target' });
  });
});

describe('acting', () => {
  it('hits within the variance, and by the factor more when critical', () => {
    const weapon = balance.weapons['training-sword'];
    if (weapon === undefined) throw new Error('no sword');
    const hits = Array.from({ length: 400 }, (_, i) => {
      const decision = fight({ withSeed: `seed ${i}` }).act({ kind: 'attack' });
      const [first] = decision.kind === 'resolved' ? decision.events : [];
      return first?.type === 'combat:resolved' ? first.payload.effects[0] : undefined;
    });
    const amounts = (critical: boolean): number[] => hits.flatMap((hit) => (hit?.critical === critical ? [hit.amount] : []));
    expect(Math.min(...amounts(false))).toBe(16);
    expect(Math.max(...amounts(false))).toBe(24);
    expect(Math.min(...amounts(true))).toBeGreaterThanOrEqual(32);
    expect(Math.max(...amounts(true))).toBeLessThanOrEqual(48);
    expect(amounts(true).length).toBeGreaterThan(20);
    expect(amounts(true).length).toBeLessThan(70);
  });

  it('gives the next turn to the next of the order, with a new deadline', () => {
    const game = fight({ count: 4 });
    const [first, second] = game.state.order;
    expect(game.actorId()).toBe(first);
    game.act({ kind: 'pass' });
    expect(game.events[1]).toMatchObject({ payload: { seq: 2, turn: 1, actorId: first, effects: [], next: { turn: 2, actorId: second, deadlineMs: 1_000 } } });
  });

  it('[CMB14] refuses who does not take part, also a character that is played by another user', () => {
    const game = fight();
    const code = { kind: 'refused', code: 'combat/not-participant' };
    expect(game.act({ kind: 'attack' }, { characterId: 'c9', userId: 'p9' })).toEqual(code);
    expect(game.act({ kind: 'attack' }, { userId: 'p9' })).toEqual(code);
  });

  it('[CMB5] refuses out of turn, a turn that is over, and a turn that has not come', () => {
    const game = fight();
    const waiting = game.state.order[1] ?? '';
    expect(game.act({ kind: 'attack' }, { characterId: waiting })).toEqual({ kind: 'refused', code: 'combat/not-your-turn' });
    game.act({ kind: 'pass' });
    const stale = { kind: 'refused', code: 'combat/stale-turn' };
    expect(game.act({ kind: 'attack' }, { turn: 1 })).toEqual(stale);
    expect(game.act({ kind: 'attack' }, { turn: 3 })).toEqual(stale);
  });

  it.each(['defend', 'ability', 'flee'] as const)('refuses %s, which nobody has learnt yet', (kind) => {
    expect(fight().act({ kind })).toEqual({ kind: 'refused', code: 'combat/unknown-ability' });
  });

  it('refuses oneself, a friend, a stranger, and an unnamed target when there are several', () => {
    const game = fight({ count: 4 });
    const actor = game.fighterOf(game.actorId());
    const friend = game.state.fighters.find((fighter) => fighter.side === actor.side && fighter !== actor);
    for (const targetId of [actor.characterId, friend?.characterId, 'c99' as CharacterId, undefined]) {
      expect(game.act({ kind: 'attack', targetId })).toEqual({ kind: 'refused', code: 'combat/invalid-target' });
    }
  });

  it('[CMB3] lets a dead character neither act nor deal damage', () => {
    const game = fight();
    const actorId = game.actorId();
    const dead = (fighter: (typeof game.state.fighters)[number]) =>
      fighter.characterId === actorId ? { ...fighter, health: 0, standing: 'defeated' as const } : fighter;
    game.force({ ...game.state, fighters: game.state.fighters.map(dead) });
    expect(game.act({ kind: 'attack' })).toEqual({ kind: 'refused', code: 'combat/not-your-turn' });
  });

  it('[CMB3] skips the fallen in the order, and takes no attack on them', () => {
    const game = fight({ count: 4 });
    const victim = game.state.order.find((id) => game.fighterOf(id).side === 1) ?? '';
    game.until(() => game.fighterOf(victim).standing !== 'fighting', () => {
      game.act(game.fighterOf(game.actorId()).side === 0 ? { kind: 'attack', targetId: victim as CharacterId } : { kind: 'pass' });
    });
    const acted = Array.from({ length: 6 }, () => {
      const actorId = game.actorId();
      if (game.fighterOf(actorId).side === 0) {
        expect(game.act({ kind: 'attack', targetId: victim as CharacterId })).toEqual({ kind: 'refused', code: 'combat/invalid-target' });
      }
      game.act({ kind: 'pass' });
      return actorId;
    });
    expect(acted).not.toContain(victim);
    expect(new Set(acted).size).toBe(3);
  });
});

describe('ending', () => {
  it('[CMB7] [CMB9] ends with victory when one side is left, reveals the seed and rewards the winners', () => {
    const game = fight();
    game.toTheEnd();
    const [resolved, ended] = game.events.slice(-2);
    const winner = game.state.fighters.find((fighter) => fighter.standing === 'fighting')?.characterId;
    expect(resolved).toMatchObject({ type: 'combat:resolved', payload: { next: null } });
    expect(ended).toEqual({
      type: 'combat:ended',
      payload: { combatId, seq: game.events.length, outcome: 'victory', winners: [winner], rewards: [{ characterId: winner, experience: 50, gold: 10 }], seed },
    });
  });

  it('counts the fallen of the side that won among the winners', () => {
    const game = fight({ count: 4 });
    const sacrifice = game.state.order.find((id) => game.fighterOf(id).side === 0)!;
    game.until(() => game.fighterOf(sacrifice).standing !== 'fighting', () => {
      game.act(game.fighterOf(game.actorId()).side === 1 ? { kind: 'attack', targetId: sacrifice } : { kind: 'pass' });
    });
    game.until(game.isOver, () => {
      const target = game.state.fighters.find((fighter) => fighter.side === 1 && fighter.standing === 'fighting');
      game.act(game.fighterOf(game.actorId()).side === 0 ? { kind: 'attack', targetId: target?.characterId } : { kind: 'pass' });
    });
    expect(game.state.phase).toMatchObject({ outcome: 'victory', winners: ['c1', 'c3'] });
  });

  it('[CMB5] refuses everything afterwards, and ignores the timers that are left', () => {
    const game = fight();
    game.toTheEnd();
    expect(game.act({ kind: 'attack' }, { characterId: 'c1' })).toEqual({ kind: 'refused', code: 'combat/over' });
    expect(game.timeOut()).toEqual({ kind: 'ignored' });
  });

  it('ends without a winner when the last turn has passed', () => {
    const game = fight();
    game.until(game.isOver, () => game.act({ kind: 'pass' }));
    expect(game.state.phase).toEqual({ kind: 'ended', turn: balance.turnsMax, outcome: 'abandoned', winners: [] });
  });
});

describe('running out of time', () => {
  it('[CMB6] counts as a pass that says so', () => {
    const game = fight();
    game.timeOut();
    expect(game.events[1]).toMatchObject({ payload: { turn: 1, commandId: 'timeout-1', action: { kind: 'pass', timedOut: true }, effects: [], next: { turn: 2 } } });
  });

  it('ignores a timer of another turn', () => {
    const game = fight();
    game.act({ kind: 'pass' });
    expect(game.timeOut(1)).toEqual({ kind: 'ignored' });
    expect(game.timeOut(3)).toEqual({ kind: 'ignored' });
    expect(game.events).toHaveLength(2);
  });

  it('ends the fight as abandoned at the third time in a row of one fighter', () => {
    const game = fight();
    const absent = game.actorId();
    game.until(game.isOver, () => {
      if (game.actorId() === absent) game.timeOut();
      else game.act({ kind: 'pass' });
    });
    const winners = game.state.order.filter((id) => id !== absent);
    expect(game.state.phase).toEqual({ kind: 'ended', turn: 5, outcome: 'abandoned', winners });
  });

  it('begins to count again when the fighter acts', () => {
    const game = fight();
    const absent = game.actorId();
    for (let turn = 1; turn <= 24; turn += 1) {
      if (game.actorId() === absent && turn % 6 !== 5) game.timeOut();
      else game.act({ kind: 'pass' });
    }
    expect(game.state.phase).toMatchObject({ kind: 'open', turn: 25 });
  });

  it('takes only the absent one out when the side has others', () => {
    const game = fight({ count: 4 });
    const absent = game.actorId();
    for (let turn = 1; turn <= 9; turn += 1) {
      if (game.actorId() === absent) game.timeOut();
      else game.act({ kind: 'pass' });
    }
    expect(game.fighterOf(absent).standing).toBe('abandoned');
    expect(game.state.phase).toMatchObject({ kind: 'open', turn: 10 });
    const acted = Array.from({ length: 6 }, () => {
      const actorId = game.actorId();
      game.act({ kind: 'pass' });
      return actorId;
    });
    expect(acted).not.toContain(absent);
  });
});

describe('chance', () => {
  it('is the first six bytes of SHA-256("<seed>:<turn>:<draw>") over 2^48, as written down for players', () => {
    expect(chance('abc', 1, 0)).toBe(0x26_11_27_f6_83_69 / 2 ** 48);
  });

  it('is spread evenly', () => {
    const draws = Array.from({ length: 4_000 }, (_, i) => chance('even', i, 0));
    const tenths = Array.from({ length: 10 }, (_, tenth) => draws.filter((draw) => Math.floor(draw * 10) === tenth).length);
    expect(Math.min(...tenths)).toBeGreaterThan(320);
    expect(Math.max(...tenths)).toBeLessThan(480);
  });
});
