import type { Job } from '../job.ts';
import { commandKeyOf } from './command-key.ts';
import { decideAct } from './rules.ts';
import { settle } from './settle.ts';

/** What a player does in a turn. */
export const act: Job<'combat.act'> = async (context, command, signal) => {
  const { combatId, turn, userId, characterId, action } = command.body;
  const key = commandKeyOf(command);
  const { kind, abilityId, targetId } = action;
  const tried = { kind, abilityId, targetId: targetId };
  await settle(
    context,
    {
      combatId,
      kind: command.kind,
      position: command.position,
      key,
      userId,
      decide: (state, circumstances) => decideAct(state, { commandId: key.commandId, turn, userId, characterId, action: tried }, circumstances),
    },
    signal,
  );
};
