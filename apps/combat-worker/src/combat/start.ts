import { randomBytes } from 'node:crypto';
import { type CombatEntrant, createCombat, loadCombat, loadEntrants } from '@skirmish/database';
import { commandMemoryMs, type RefusalCode } from '@skirmish/protocol';
import type { LaneBody } from '@skirmish/queue';
import type { Job } from '../job.ts';
import { balance } from './balance.ts';
import { commandKeyOf } from './command-key.ts';
import { decideStart, type Entrant } from './rules.ts';
import { MovedOn, progressOf, reportResolved, stateOf } from './settle.ts';
import { tell, tellRefusal } from './tell.ts';

const seedBytes = 32;

/** A fight begins. Its id was made by the gateway and is what makes a repetition harmless. */
export const start: Job<'combat.start'> = async (context, command, signal) => {
  const { database, report, realm } = context;
  const { combatId, zoneId, challenger, opponents } = command.body;
  const { kind, position } = command;
  const key = commandKeyOf(command);
  const known = await loadCombat(database, combatId, key);
  await context.reached('loaded');
  if (known !== null) {
    report('command-repeated', { kind }, { combatId, position });
    return tell(context, { ...known, events: known.untold, state: stateOf(known) }, signal);
  }
  const refuse = async (code: RefusalCode): Promise<void> => {
    report('command-refused', { kind, code }, { combatId });
    await tellRefusal(context, { combatId, userId: challenger.userId, commandId: key.commandId, code, position });
  };
  const entrants = entrantsOf(command.body, await loadEntrants(database, [challenger.characterId, ...opponents]));
  if (typeof entrants === 'string') return refuse(entrants);
  const seed = randomBytes(seedBytes).toString('hex');
  const decision = decideStart(combatId, entrants, { seed, nextDeadlineMs: context.nowMs() + context.turnTimeoutMs });
  if (decision.kind !== 'resolved') return refuse(decision.kind === 'refused' ? decision.code : 'combat/invalid-target');
  signal.throwIfAborted();
  const progress = progressOf(decision);
  const combat = { combatId, realm, zoneId, seed, command: key, progress, combatants: decision.state.fighters };
  const saved = await createCombat(database, combat, { memoryMs: commandMemoryMs });
  if (saved === 'repeated') throw new MovedOn('the fight was begun meanwhile');
  if (saved === 'stale') {
    report('command-repeated', { kind }, { combatId, position });
    return;
  }
  reportResolved(context, decision.events);
  await context.reached('committed');
  await tell(context, { combatId, userIds: entrants.map(({ userId }) => userId), events: progress.events, state: decision.state }, signal);
};

/** The challenger on side 0, everybody else on side 1; or why they cannot fight. */
function entrantsOf({ challenger, opponents }: LaneBody<'combat.start'>, found: readonly CombatEntrant[]): Entrant[] | RefusalCode {
  const wanted = [challenger.characterId, ...opponents];
  const entrants = wanted.flatMap((characterId, i) => {
    const entrant = found.find((candidate) => candidate.characterId === characterId);
    return entrant === undefined ? [] : [{ ...entrant, side: i === 0 ? 0 : 1 }];
  });
  if (entrants.length < wanted.length) return 'combat/invalid-target';
  if (entrants[0]?.userId !== challenger.userId) return 'combat/not-participant';
  if (entrants.some(({ openCombats }) => openCombats >= balance.openFightsMax)) return 'combat/engaged';
  return entrants.map(({ characterId, userId, name, side }) => ({ characterId, userId, name, side }));
}
