import type { Job } from '../job.ts';
import { decideTimeout, timeoutCommandId } from './rules.ts';
import { settle } from './settle.ts';

/** A turn has run out; the timer of a turn that is over changes nothing. */
export const timeout: Job<'combat.timeout'> = async (context, command, signal) => {
  const { combatId, turn } = command.body;
  await settle(
    context,
    {
      combatId,
      kind: command.kind,
      position: command.position,
      // Timer and sweeper may both push it: the turn is its identity.
      key: { kind: command.kind, userId: '', commandId: timeoutCommandId(turn) },
      userId: null,
      decide: (state, circumstances) => decideTimeout(state, { turn }, circumstances),
    },
    signal,
  );
};
