import { isDeepStrictEqual } from 'node:util';
import type { Balance } from './balance.ts';
import { seedHashOf } from './chance.ts';
import type { CombatEvent, CombatState } from './combat-state.ts';
import { decideAct, decideStart, decideTimeout, type Circumstances, type Decision } from './rules.ts';

export type ReplayResult = { readonly ok: true; readonly state: CombatState } | { readonly ok: false; readonly seq: number; readonly reason: string };

/**
 * Plays an ended fight again from its revealed seed and says whether every number that was told follows from it. Only the deadlines are taken
 * from the log, since they come from the clock. The first event that does not follow is named by its `seq`.
 */
export function replay(events: readonly CombatEvent[], balance?: Balance): ReplayResult {
  const [started] = events;
  const ended = events.at(-1);
  if (started?.type !== 'combat:started') return { ok: false, seq: 1, reason: 'the log does not begin with combat:started' };
  if (ended?.type !== 'combat:ended') return { ok: false, seq: events.length, reason: 'the log does not finish with combat:ended' };
  const { seed } = ended.payload;
  if (seedHashOf(seed) !== started.payload.seedHash) return { ok: false, seq: ended.payload.seq, reason: 'the seed is not the one that was promised' };
  const given = (nextDeadlineMs: number): Circumstances => ({ seed, nextDeadlineMs, ...(balance && { balance }) });

  let decision = decideStart(started.payload.combatId, started.payload.combatants, given(started.payload.deadlineMs));
  let at = 0;
  while (decision.kind === 'resolved') {
    for (const expected of decision.events) {
      const told = events[at];
      if (!isDeepStrictEqual(plain(told), plain(expected))) return { ok: false, seq: at + 1, reason: 'the event does not follow from the seed' };
      at += 1;
    }
    if (at === events.length) return { ok: true, state: decision.state };
    decision = repeat(decision.state, events[at], given);
  }
  return { ok: false, seq: at + 1, reason: decision.kind === 'refused' ? `the rules refuse it: ${decision.code}` : 'the rules ignore it' };
}

function repeat(state: CombatState, told: CombatEvent | undefined, given: (nextDeadlineMs: number) => Circumstances): Decision {
  if (told?.type !== 'combat:resolved') return { kind: 'ignored' };
  const circumstances = given(told.payload.next?.deadlineMs ?? 0);
  const { action, turn, commandId, actorId } = told.payload;
  if (action.kind === 'pass' && action.timedOut === true) return decideTimeout(state, { turn }, circumstances);
  const userId = state.fighters.find((fighter) => fighter.characterId === actorId)?.userId;
  if (userId === undefined) return { kind: 'ignored' };
  return decideAct(state, { commandId, turn, userId, characterId: actorId, action }, circumstances);
}

/** What counts of an event: a log that went through JSON has lost its undefined fields, and may have gained columns of a table. */
const plain = (event: CombatEvent | undefined): unknown =>
  event === undefined ? undefined : JSON.parse(JSON.stringify({ type: event.type, payload: event.payload }));
