import type { CharacterId, CombatId, RefusalCode, UserId } from '@skirmish/protocol';
import { balance as currentBalance, type Balance } from './balance.ts';
import { chance, seedHashOf } from './chance.ts';
import type { Action, CombatEvent, CombatState, DoneAction, Effect, Fighter, Phase } from './combat-state.ts';

/** Who enters a fight; health is full at the start. */
export type Entrant = Pick<Fighter, 'characterId' | 'userId' | 'name' | 'side'>;

/** What a decision may know besides the state: the seed, and when the next turn ends. */
export type Circumstances = { readonly seed: string; readonly nextDeadlineMs: number; readonly balance?: Balance };

export type Decision =
  | { readonly kind: 'resolved'; readonly state: CombatState; readonly events: readonly CombatEvent[] }
  | { readonly kind: 'refused'; readonly code: RefusalCode }
  | { readonly kind: 'ignored' };

type OpenPhase = Extract<Phase, { kind: 'open' }>;

/** Opens a fight: the order is drawn from the seed, the first of it acts in turn 1. Entrants that make no fight are `combat/invalid-target`. */
export function decideStart(combatId: CombatId, entrants: readonly Entrant[], { seed, nextDeadlineMs, balance = currentBalance }: Circumstances): Decision {
  const order = orderOf(entrants, seed, balance);
  const [actorId] = order;
  const sides = new Set(entrants.map((entrant) => entrant.side));
  const doubled = new Set(order).size !== entrants.length;
  if (actorId === undefined || sides.size < 2 || doubled || entrants.length > balance.fightersMax) return { kind: 'refused', code: 'combat/invalid-target' };
  const fighters = entrants.map(({ characterId, userId, name, side }): Fighter => {
    return { characterId, userId, name, side, health: balance.healthMax, healthMax: balance.healthMax, standing: 'fighting', timeoutsInARow: 0 };
  });
  const phase: OpenPhase = { kind: 'open', turn: 1, actorId, deadlineMs: nextDeadlineMs };
  const state: CombatState = { balanceVersion: balance.version, combatId, fighters, order, seq: 1, phase };
  const combatants = fighters.map(({ standing: _standing, timeoutsInARow: _timeouts, ...told }) => told);
  const { kind: _kind, ...first } = phase;
  const payload = { combatId, seq: 1, combatants, order, ...first, seedHash: seedHashOf(seed) };
  return { kind: 'resolved', state, events: [{ type: 'combat:started', payload }] };
}

/** Decides an action that a player asked for. A refusal changes nothing. */
export function decideAct(
  state: CombatState,
  command: { commandId: string; turn: number; userId: UserId; characterId: CharacterId; action: Action },
  circumstances: Circumstances,
): Decision {
  const refuse = (code: RefusalCode): Decision => ({ kind: 'refused', code });
  const { phase } = state;
  const actor = fighterOf(state.fighters, command.characterId);
  if (actor?.userId !== command.userId) return refuse('combat/not-participant');
  if (phase.kind === 'ended') return refuse('combat/over');
  if (phase.turn !== command.turn) return refuse('combat/stale-turn');
  if (phase.actorId !== command.characterId || actor.standing !== 'fighting') return refuse('combat/not-your-turn');
  if (command.action.kind === 'pass') return resolve(state, phase, actor, command.commandId, { kind: 'pass' }, circumstances);
  if (command.action.kind !== 'attack') return refuse('combat/unknown-ability');
  const target = targetOf(state.fighters, actor, command.action.targetId);
  if (target === undefined) return refuse('combat/invalid-target');
  return resolve(state, phase, actor, command.commandId, { kind: 'attack', targetId: target.characterId }, circumstances);
}

/** The command id under which a turn that ran out is stored and told. */
export const timeoutCommandId = (turn: number): string => `timeout-${turn}`;

/** Decides that a turn has run out: it counts as a pass. A timer of a turn that is over is ignored. */
export function decideTimeout(state: CombatState, command: { turn: number }, circumstances: Circumstances): Decision {
  const { phase } = state;
  if (phase.kind === 'ended' || phase.turn !== command.turn) return { kind: 'ignored' };
  const actor = fighterOf(state.fighters, phase.actorId);
  if (actor === undefined) return { kind: 'ignored' };
  return resolve(state, phase, actor, timeoutCommandId(phase.turn), { kind: 'pass', timedOut: true }, circumstances);
}

function resolve(
  state: CombatState,
  phase: OpenPhase,
  actor: Fighter,
  commandId: string,
  action: DoneAction,
  { seed, nextDeadlineMs, balance = currentBalance }: Circumstances,
): Decision {
  const effects = action.kind === 'attack' ? attack(state.fighters, phase.turn, actor, action.targetId, seed, balance) : [];
  const fighters = state.fighters
    .map((fighter) => afterEffects(fighter, effects))
    .map((fighter) => (fighter.characterId === actor.characterId ? afterOwnTurn(fighter, action, balance) : fighter));
  const following = nextPhase(fighters, state.order, phase, action, nextDeadlineMs, balance);
  const { combatId } = state;
  const seq = state.seq + 1;
  const told = { combatId, seq, turn: phase.turn, commandId, actorId: actor.characterId, action, effects };
  if (following.kind === 'open') {
    const { kind: _kind, ...next } = following;
    return {
      kind: 'resolved',
      state: { ...state, fighters, seq, phase: following },
      events: [{ type: 'combat:resolved', payload: { ...told, next } }],
    };
  }
  const { outcome, winners } = following;
  const rewards = winners.map((characterId) => ({ characterId, ...balance.rewards }));
  return {
    kind: 'resolved',
    state: { ...state, fighters, seq: seq + 1, phase: following },
    events: [
      { type: 'combat:resolved', payload: { ...told, next: null } },
      { type: 'combat:ended', payload: { combatId, seq: seq + 1, outcome, winners, rewards, seed } },
    ],
  };
}

function attack(fighters: readonly Fighter[], turn: number, actor: Fighter, targetId: CharacterId, seed: string, balance: Balance): Effect[] {
  const { weapon: weaponName, damageMin } = balance.abilities.attack;
  const weapon = balance.weapons[weaponName];
  const target = fighterOf(fighters, targetId);
  if (weapon === undefined) throw new Error(`The balance names no weapon ${weaponName}`);
  if (target === undefined) return [];
  const spread = 1 - weapon.variance + 2 * weapon.variance * chance(seed, turn, 0);
  const critical = chance(seed, turn, 1) < weapon.criticalChance;
  const damage = Math.max(damageMin, Math.round(weapon.damage * spread * (critical ? weapon.criticalFactor : 1)));
  const amount = Math.min(damage, target.health);
  return [{ kind: 'damage', from: actor.characterId, to: targetId, amount, critical, health: target.health - amount }];
}

function afterEffects(fighter: Fighter, effects: readonly Effect[]): Fighter {
  const hit = effects.find((effect) => effect.to === fighter.characterId);
  if (hit === undefined) return fighter;
  return { ...fighter, health: hit.health, standing: hit.health === 0 ? 'defeated' : fighter.standing };
}

function afterOwnTurn(fighter: Fighter, action: DoneAction, balance: Balance): Fighter {
  const timedOut = action.kind === 'pass' && action.timedOut === true;
  const timeoutsInARow = timedOut ? fighter.timeoutsInARow + 1 : 0;
  return { ...fighter, timeoutsInARow, standing: timeoutsInARow >= balance.timeoutsInARowMax ? 'abandoned' : fighter.standing };
}

function nextPhase(
  fighters: readonly Fighter[],
  order: readonly CharacterId[],
  phase: OpenPhase,
  action: DoneAction,
  deadlineMs: number,
  balance: Balance,
): Phase {
  const { turn } = phase;
  const fighting = fighters.filter((fighter) => fighter.standing === 'fighting');
  const sides = new Set(fighting.map((fighter) => fighter.side));
  if (sides.size < 2) {
    const winners = fighters.filter((fighter) => sides.has(fighter.side) && fighter.standing !== 'abandoned').map((fighter) => fighter.characterId);
    return { kind: 'ended', turn, outcome: action.kind === 'attack' ? 'victory' : 'abandoned', winners };
  }
  if (turn >= balance.turnsMax) return { kind: 'ended', turn, outcome: 'abandoned', winners: [] };
  return { kind: 'open', turn: turn + 1, actorId: nextActor(fighting, order, phase.actorId), deadlineMs };
}

function nextActor(fighting: readonly Fighter[], order: readonly CharacterId[], actorId: CharacterId): CharacterId {
  const at = order.indexOf(actorId);
  const following = [...order.slice(at + 1), ...order.slice(0, at + 1)].find((id) => fighterOf(fighting, id) !== undefined);
  if (following === undefined) throw new Error('A fight of two sides has nobody to act');
  return following;
}

function orderOf(entrants: readonly Entrant[], seed: string, { initiative }: Balance): CharacterId[] {
  const byId = [...entrants].sort((a, b) => compareText(a.characterId, b.characterId));
  return byId
    .map(({ characterId }, draw) => ({ characterId, initiative: initiative.base + initiative.spread * chance(seed, 0, draw) }))
    .sort((a, b) => b.initiative - a.initiative || compareText(a.characterId, b.characterId))
    .map(({ characterId }) => characterId);
}

/** The target that was named; without a name the only enemy that is left, if there is only one. Friends, the fallen and oneself are none. */
function targetOf(fighters: readonly Fighter[], actor: Fighter, targetId: CharacterId | undefined): Fighter | undefined {
  const enemies = fighters.filter((fighter) => fighter.side !== actor.side && fighter.standing === 'fighting');
  if (targetId === undefined) return enemies.length === 1 ? enemies[0] : undefined;
  return fighterOf(enemies, targetId);
}

const fighterOf = (fighters: readonly Fighter[], characterId: CharacterId): Fighter | undefined =>
  fighters.find((fighter) => fighter.characterId === characterId);

// Not localeCompare: the order must be the same on every machine.
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
