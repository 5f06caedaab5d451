import { forgetCombatRefusals, overdueCombats } from '@skirmish/database';
import { commandMemoryMs, type UserId } from '@skirmish/protocol';
import { payloadHash } from '@skirmish/queue';
import type { CombatContext } from '../context.ts';

export interface Sweeper {
  /** Whether the last round reached Postgres, and Redis where there was something to push. */
  readonly healthy: boolean;
  /** Ends after the round that runs now. */
  stop(): Promise<void>;
}

const fightsPerRound = 200;
const refusalsPerRound = 500;
const sweeperId = 'sweeper' as UserId;

/**
 * One round: each overdue turn behind the first `offset` gets the command that its timer should have pushed, at most 200. Answers the offset of
 * the next round, which goes on behind this one: fights that cannot go on stay overdue, and would hide the others.
 */
async function sweep(context: CombatContext, graceMs: number, offset: number): Promise<number> {
  const { database, realm, lanes, report } = context;
  const overdue = await overdueCombats(database, { realm, beforeMs: context.nowMs() - graceMs, limit: fightsPerRound, offset });
  for (const { combatId, turn } of overdue) {
    const body = { combatId, turn };
    // Under an id of its own, so that rounds and workers together push one command per turn.
    const command = { userId: sweeperId, event: 'combat.timeout', commandId: `${combatId}-${turn}`, payloadHash: payloadHash(body), answer: {} };
    const { repeated } = await lanes.push({ key: combatId, kind: 'combat.timeout', body, command });
    if (!repeated) report('timer-late', { realm }, { combatId, turn });
  }
  await forgetCombatRefusals(database, { olderThanMs: commandMemoryMs, limit: refusalsPerRound });
  return overdue.length < fightsPerRound ? 0 : offset + fightsPerRound;
}

/** Sweeps again and again, `intervalMs` after the end of each round; an error is reported and the next round tries again. */
export function startSweeper(context: CombatContext, { intervalMs, graceMs }: { readonly intervalMs: number; readonly graceMs: number }): Sweeper {
  let healthy = true;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let offset = 0;
  const round = async (): Promise<void> => {
    try {
      offset = await sweep(context, graceMs, offset);
      healthy = true;
    } catch (err) {
      healthy = false;
      context.report('sweep-failed', { realm: context.realm }, { err });
    }
    if (!stopped) schedule();
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      running = round();
    }, intervalMs);
  };
  schedule();
  return {
    get healthy() {
      return healthy;
    },
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
