import type { UserId } from '@skirmish/protocol';
import type { LaneCommand, LaneKindOf } from '@skirmish/queue';
import type { CombatContext } from '../context.ts';
import { commandKeyOf } from './command-key.ts';
import { tellRefusal } from './tell.ts';

/** A command that cannot be carried out is on its way to the dead list: whoever gave it hears that, instead of nothing. */
export async function giveUp(context: CombatContext, command: LaneCommand<LaneKindOf<'combat'>>, error: Error): Promise<void> {
  const { combatId } = command.body;
  context.report('command-dead', { kind: command.kind }, { combatId, position: command.position, err: error });
  if (command.kind === 'combat.timeout') return;
  const { userId, commandId } = commandKeyOf(command);
  await tellRefusal(context, { combatId, userId: userId as UserId, commandId, code: 'server/internal', position: command.position });
}
