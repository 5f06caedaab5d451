import {
  type CombatCommandKey,
  type CombatProgress,
  commitCombatRefusal,
  commitCombatStep,
  loadCombat,
  type StoredCombat,
  type StoredCombatEvent,
} from '@skirmish/database';
import { type CombatId, isRefusalCode, type RefusalCode, type UserId } from '@skirmish/protocol';
import type { LaneCommand } from '@skirmish/queue';
import type { CombatContext } from '../context.ts';
import type { CombatEvent, CombatState } from './combat-state.ts';
import type { Circumstances, Decision } from './rules.ts';
import { tell, tellRefusal } from './tell.ts';

/** Another worker has moved the fight on between load and save: the step begins anew and finds what was stored. Counts as no try. */
export class MovedOn extends Error {
  override readonly name = 'MovedOn';
}

export interface Step {
  readonly combatId: CombatId;
  readonly kind: LaneCommand['kind'];
  readonly position: number;
  readonly key: CombatCommandKey;
  /** Whom a refusal is told; null for a timer, which nobody asked for. */
  readonly userId: UserId | null;
  readonly decide: (state: CombatState, circumstances: Circumstances) => Decision;
}

/**
 * One step of a fight: load, tell what an earlier process did not get to tell, decide, save, tell. Whatever happens in between, a repetition finds
 * the outcome under the command's id and only tells it again.
 */
export async function settle(context: CombatContext, step: Step, signal: AbortSignal): Promise<void> {
  const combat = await loadCombat(context.database, step.combatId, step.key);
  await context.reached('loaded');
  if (combat === null) return refuse(context, step, 'combat/not-found');
  const state = stateOf(combat);
  await tell(context, { ...combat, events: combat.untold, state }, signal);
  if (combat.outcome !== null) return repeat(context, step, combat.outcome);
  const decision = step.decide(state, { seed: combat.seed, nextDeadlineMs: context.nowMs() + context.turnTimeoutMs });
  signal.throwIfAborted();
  if (decision.kind === 'ignored') return;
  if (decision.kind === 'refused') return saveRefusal(context, step, decision.code);
  const progress = progressOf(decision);
  const saved = await commitCombatStep(context.database, { combatId: combat.combatId, version: combat.version, command: step.key, progress });
  if (saved !== 'committed') throw new MovedOn('the fight was moved on meanwhile');
  reportResolved(context, decision.events);
  await context.reached('committed');
  await tell(context, { combatId: combat.combatId, userIds: combat.userIds, events: progress.events, state: decision.state }, signal);
}

/** The version of the state that this process reads and writes. */
export const stateOf = (combat: Pick<StoredCombat, 'state'>): CombatState => combat.state as CombatState;

/** What the repository stores of a decision. */
export function progressOf({ state, events }: Extract<Decision, { kind: 'resolved' }>): CombatProgress {
  const { phase, fighters } = state;
  return {
    state,
    turn: phase.turn,
    next: phase.kind === 'open' ? { actorId: phase.actorId, deadlineMs: phase.deadlineMs } : null,
    ended: phase.kind === 'ended' ? phase.outcome : null,
    events: events.map(({ type, payload }): StoredCombatEvent => ({ seq: payload.seq, type, payload: { ...payload } })),
    combatants: fighters.map(({ characterId, health }) => ({ characterId, health })),
  };
}

async function repeat(context: CombatContext, step: Step, outcome: NonNullable<StoredCombat['outcome']>): Promise<void> {
  context.report('command-repeated', { kind: step.kind }, { combatId: step.combatId, position: step.position });
  if (outcome.kind === 'refused') await refuse(context, step, isRefusalCode(outcome.code) ? outcome.code : 'server/internal');
}

async function saveRefusal(context: CombatContext, step: Step, code: RefusalCode): Promise<void> {
  const saved = await commitCombatRefusal(context.database, { combatId: step.combatId, command: step.key, code });
  if (saved !== 'committed') throw new MovedOn('the command was decided meanwhile');
  context.report('command-refused', { kind: step.kind, code }, { combatId: step.combatId });
  await context.reached('committed');
  await refuse(context, step, code);
}

async function refuse(context: CombatContext, { combatId, userId, key, position }: Step, code: RefusalCode): Promise<void> {
  if (userId !== null) await tellRefusal(context, { combatId, userId, commandId: key.commandId, code, position });
}

/** One line and one count per event that was stored, whoever repeats the step. */
export function reportResolved({ report, realm }: CombatContext, events: readonly CombatEvent[]): void {
  for (const { type, payload } of events) {
    const details = { combatId: payload.combatId, seq: payload.seq };
    if (type === 'combat:started') report('fight-started', { realm }, { ...details, fighters: payload.combatants.length });
    if (type === 'combat:resolved') report('turn-resolved', { realm, action: payload.action.kind }, { ...details, turn: payload.turn });
    if (type === 'combat:ended') report('fight-ended', { realm, outcome: payload.outcome }, details);
  }
}
