import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CharacterId } from '@skirmish/protocol';
import { fight } from './_fight.ts';
import type { CombatEvent } from './combat-state.ts';
import { replay } from './replay.ts';

type Move = { kind: 'attack' | 'pass' | 'timeout' | 'defend' | 'ability' | 'flee'; by: number; target: number; turnOff: number };

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom('attack', 'attack', 'attack', 'attack', 'pass', 'timeout', 'defend', 'ability', 'flee'),
  by: fc.oneof({ weight: 5, arbitrary: fc.constant(-1) }, fc.integer({ min: 0, max: 7 })),
  target: fc.integer({ min: 0, max: 7 }),
  turnOff: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 2 })),
});
const seedText = fc.stringMatching(/^[0-9a-f]{16}$/);
const setting = fc.record({ count: fc.integer({ min: 2, max: 8 }), withSeed: seedText, moves: fc.array(move, { maxLength: 80 }) });

/** Plays the moves, sensible or not, on any fight. */
function play({ count, withSeed, moves }: { count: number; withSeed: string; moves: Move[] }) {
  const game = fight({ count, withSeed });
  for (const { kind, by, target, turnOff } of moves) {
    const before = structuredClone(game.state);
    const turn = game.state.phase.turn + turnOff;
    const characterId = by >= 0 || before.phase.kind === 'ended' ? `c${Math.max(by, 0) + 1}` : before.phase.actorId;
    const decision =
      kind === 'timeout' ? game.timeOut(turn) : game.act({ kind, targetId: `c${target + 1}` as CharacterId }, { characterId, turn });
    if (decision.kind !== 'resolved') expect(game.state).toEqual(before);
  }
  return game;
}

describe('whatever is played', () => {
  it('[CMB2] [CMB3] keeps health between 0 and its maximum, and every effect adds up', () => {
    fc.assert(
      fc.property(setting, (given) => {
        const game = play(given);
        const health = new Map(game.state.fighters.map((fighter) => [fighter.characterId, fighter.healthMax]));
        for (const event of game.events) {
          if (event.type !== 'combat:resolved') continue;
          for (const effect of event.payload.effects) {
            const before = health.get(effect.to) ?? Number.NaN;
            expect(health.get(effect.from)).toBeGreaterThan(0);
            expect(effect.amount).toBeGreaterThan(0);
            expect(effect.health).toBe(before - effect.amount);
            expect(effect.health).toBeGreaterThanOrEqual(0);
            health.set(effect.to, effect.health);
          }
        }
        for (const fighter of game.state.fighters) {
          expect(fighter.health).toBe(health.get(fighter.characterId));
          expect(fighter.standing === 'defeated').toBe(fighter.health === 0);
        }
      }),
    );
  });

  it('[CMB4] [CMB7] counts seq and turn without holes, and lets only those act whose turn it is', () => {
    fc.assert(
      fc.property(setting, (given) => {
        const { events } = play(given);
        expect(events.map((event) => event.payload.seq)).toEqual(events.map((_, i) => i + 1));
        const [started] = events;
        let expected = started?.type === 'combat:started' ? { turn: 1, actorId: started.payload.actorId } : null;
        for (const event of events) {
          if (event.type !== 'combat:resolved') continue;
          expect({ turn: event.payload.turn, actorId: event.payload.actorId }).toEqual(expected);
          expected = event.payload.next && { turn: event.payload.next.turn, actorId: event.payload.next.actorId };
        }
        if (events.at(-1)?.type === 'combat:ended') expect(expected).toBeNull();
      }),
    );
  });

  it('comes to an end', () => {
    fc.assert(
      fc.property(setting, (given) => {
        const game = play(given);
        game.toTheEnd();
        expect(game.state.phase.kind).toBe('ended');
        expect(game.state.phase.turn).toBeLessThanOrEqual(200);
      }),
    );
  });

  it('[CMB8] can be replayed from the revealed seed, also by somebody who only has the stored JSON', () => {
    fc.assert(
      fc.property(setting, (given) => {
        const game = play(given);
        game.toTheEnd();
        const stored = JSON.parse(JSON.stringify(game.events)) as CombatEvent[];
        expect(replay(stored)).toEqual({ ok: true, state: game.state });
      }),
    );
  });

  it('[CMB8] cannot be replayed when any number was changed', () => {
    fc.assert(
      fc.property(setting, fc.nat(), fc.constantFrom('amount', 'health', 'critical'), (given, pick, field) => {
        const game = play(given);
        game.toTheEnd();
        const stored = JSON.parse(JSON.stringify(game.events)) as CombatEvent[];
        const withEffects = stored.flatMap((event) => (event.type === 'combat:resolved' && event.payload.effects.length > 0 ? [event.payload] : []));
        const forged = withEffects[pick % Math.max(withEffects.length, 1)];
        if (forged === undefined) return fc.pre(false);
        const effect = forged.effects[0] as Record<string, unknown>;
        effect[field] = field === 'critical' ? effect[field] !== true : Number(effect[field]) + 1;
        expect(replay(stored)).toMatchObject({ ok: false, seq: forged.seq });
      }),
    );
  });
});

describe('a log that is no whole fight', () => {
  const whole = (): CombatEvent[] => {
    const game = fight();
    game.toTheEnd();
    return game.events;
  };

  it('is refused without its start, its end, one of its turns, or with another seed', () => {
    const events = whole();
    expect(replay(events.slice(1))).toMatchObject({ ok: false, seq: 1 });
    expect(replay(events.slice(0, -1))).toMatchObject({ ok: false, seq: events.length - 1 });
    expect(replay(events.toSpliced(2, 1))).toMatchObject({ ok: false, seq: 3 });
    const ended = events.at(-1);
    if (ended?.type !== 'combat:ended') throw new Error('not ended');
    expect(replay([...events.slice(0, -1), { ...ended, payload: { ...ended.payload, seed: 'b'.repeat(64) } }])).toEqual({
      ok: false,
      seq: events.length,
      reason: 'the seed is not the one that was promised',
    });
    expect(replay([])).toMatchObject({ ok: false });
  });

  it('is refused when an actor was invented', () => {
    const events = whole();
    const [started, first, ...rest] = events;
    if (started === undefined || first?.type !== 'combat:resolved') throw new Error('too short');
    const forged: CombatEvent = { ...first, payload: { ...first.payload, actorId: 'c77' as CharacterId } };
    expect(replay([started, forged, ...rest])).toMatchObject({ ok: false, seq: 2 });
    const overlong: CombatEvent[] = [started, started, ...events.slice(2)];
    expect(replay(overlong)).toMatchObject({ ok: false, seq: 2 });
  });
});
