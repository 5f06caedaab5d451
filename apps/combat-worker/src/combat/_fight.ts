import type { CharacterId, CombatId, UserId } from '@skirmish/protocol';
import type { Action, CombatEvent, CombatState } from './combat-state.ts';
import { decideAct, decideStart, decideTimeout, type Decision, type Entrant } from './rules.ts';

export const combatId = 'fight-1' as CombatId;
export const seed = 'a'.repeat(64);

/** `c1`, `c3`, … fight on side 0 and `c2`, `c4`, … on side 1; user `p<n>` plays `c<n>`. */
export const entrants = (count: number): Entrant[] =>
  Array.from({ length: count }, (_, i) => ({
    characterId: `c${i + 1}` as CharacterId,
    userId: `p${i + 1}` as UserId,
    name: `Player ${i + 1}`,
    side: i % 2,
  }));

/** A fight in the making: every call decides on the newest state and keeps what was told. */
export function fight({ count = 2, withSeed = seed }: { count?: number; withSeed?: string } = {}) {
  const circumstances = { seed: withSeed, nextDeadlineMs: 1_000 };
  const events: CombatEvent[] = [];
  let state = keep(decideStart(combatId, entrants(count), circumstances));
  function keep(decision: Decision): CombatState {
    if (decision.kind !== 'resolved') throw new Error(`not resolved: ${JSON.stringify(decision)}`);
    events.push(...decision.events);
    return decision.state;
  }
  const settle = (decision: Decision): Decision => {
    if (decision.kind === 'resolved') state = keep(decision);
    return decision;
  };
  const actorId = (): CharacterId => {
    if (state.phase.kind === 'ended') throw new Error('the fight is over');
    return state.phase.actorId;
  };
  const fighterOf = (characterId: string) => {
    const found = state.fighters.find((fighter) => fighter.characterId === characterId);
    if (found === undefined) throw new Error(`nobody is called ${characterId}`);
    return found;
  };
  return {
    events,
    get state() {
      return state;
    },
    actorId,
    fighterOf,
    /** Puts the fight into a state that the rules would not reach by themselves. */
    force: (forced: CombatState): void => {
      state = forced;
    },
    act: (action: Action, by: Partial<{ characterId: string; userId: string; turn: number; commandId: string }> = {}): Decision => {
      const characterId = (by.characterId ?? actorId()) as CharacterId;
      const userId = (by.userId ?? characterId.replace('c', 'p')) as UserId;
      const turn = by.turn ?? state.phase.turn;
      return settle(decideAct(state, { commandId: by.commandId ?? `k-${turn}`, turn, userId, characterId, action }, circumstances));
    },
    timeOut: (turn: number = state.phase.turn): Decision => settle(decideTimeout(state, { turn }, circumstances)),
    /** Moves until it is done; a fight that goes on for ever is an error. */
    until(done: () => boolean, move: () => void): void {
      for (let moves = 0; !done(); moves += 1) {
        if (moves > 1_000) throw new Error('the fight does not come to an end');
        move();
      }
    },
    isOver: (): boolean => state.phase.kind === 'ended',
    /** Attacks until somebody has won. */
    toTheEnd(): void {
      this.until(this.isOver, () => {
        const { side } = fighterOf(actorId());
        const target = state.fighters.find((fighter) => fighter.side !== side && fighter.standing === 'fighting');
        this.act({ kind: 'attack', targetId: target?.characterId });
      });
    },
  };
}
