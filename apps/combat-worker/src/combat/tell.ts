import type { StoredCombatEvent } from '@skirmish/database';
import { type CombatId, type CommandId, type RefusalCode, type RoomName, refusals, roomOf, type ServerPayload, type UserId } from '@skirmish/protocol';
import type { CombatContext } from '../context.ts';
import type { CombatState } from './combat-state.ts';

/** What a step tells: the events that are stored, who takes part, and the state that they lead to. */
export interface Telling {
  readonly combatId: CombatId;
  readonly userIds: readonly UserId[];
  readonly events: readonly StoredCombatEvent[];
  readonly state: CombatState;
}

/**
 * Repeats everything that may be missing after the effect was stored: membership of the fight's room, its events in order, the timer of the next
 * turn, and what backends hear of it. Each of them may be done any number of times and counts once: the emitter knows the last `seq` of a fight, the queue the id of a timer.
 */
export async function tell(context: CombatContext, { combatId, userIds, events, state }: Telling, signal: AbortSignal): Promise<void> {
  const { emitter, changes, told } = context;
  const last = events.at(-1);
  if (last === undefined || last.seq <= told.upTo(combatId)) return;
  const room = roomOf.combat(combatId);
  const fighters = { rooms: userIds.map((userId): RoomName => roomOf.user(userId)) };
  for (const { type, seq, payload } of events) {
    signal.throwIfAborted();
    // Before the join: whoever connects from now on reads the fight, whoever was there before is let in by the emission.
    if (type !== 'combat:resolved') await changes.mark(userIds);
    if (type === 'combat:started') {
      await emitter.join(fighters, [room]);
      await context.reached('joined');
    }
    await emitter.emit({ rooms: [room] }, eventNameOf(type), payload, { lane: { name: room, seq } });
    await context.reached(`emitted ${type}`);
    if (type === 'combat:ended') await tellBackends(context, payload as ServerPayload<'combat:ended'>, userIds);
  }
  signal.throwIfAborted();
  if (state.phase.kind === 'ended') await emitter.leave({ rooms: [room] }, [room]);
  else await startTimer(context, combatId, state.phase);
  told.remember(combatId, last.seq);
  await context.reached('told');
}

async function tellBackends({ backend }: CombatContext, ended: ServerPayload<'combat:ended'>, userIds: readonly UserId[]): Promise<void> {
  const { combatId, outcome, winners, rewards } = ended;
  await backend.write({ type: 'combat.ended', id: `combat-ended-${combatId}`, data: { combatId, outcome, winners, rewards, userIds: [...userIds] } });
}

const eventNames = ['combat:started', 'combat:resolved', 'combat:ended'] as const;

function eventNameOf(type: string): (typeof eventNames)[number] {
  const name = eventNames.find((known) => known === type);
  if (name === undefined) throw new TypeError('a stored event has a name that no fight tells');
  return name;
}

async function startTimer(context: CombatContext, combatId: CombatId, { turn, deadlineMs }: { turn: number; deadlineMs: number }): Promise<void> {
  const delayMs = Math.max(0, deadlineMs - context.nowMs());
  await context.lanes.pushLater({ key: combatId, kind: 'combat.timeout', body: { combatId, turn }, delayMs, id: `${combatId}-${turn}` });
}

/** Tells an actor why nothing came of a command; at most once per place in the lane. */
export async function tellRefusal(
  context: CombatContext,
  refusal: { readonly combatId: CombatId; readonly userId: UserId; readonly commandId: string; readonly code: RefusalCode; readonly position: number },
): Promise<void> {
  const { combatId, userId, commandId, code, position } = refusal;
  const payload = { combatId, commandId: commandId as CommandId, code, message: refusals[code].message };
  await context.emitter.emit({ rooms: [roomOf.user(userId)] }, 'combat:refused', payload, { idempotencyKey: `refused-${combatId}-${position}` });
  await context.reached('told refusal');
}
