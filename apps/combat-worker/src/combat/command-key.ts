import type { CombatCommandKey } from '@skirmish/database';
import type { LaneCommand } from '@skirmish/queue';

/** Under what a player's command is remembered. A command that came without an id is known by its place in the lane. */
export function commandKeyOf(command: LaneCommand<'combat.start' | 'combat.act'>): CombatCommandKey {
  const userId = command.kind === 'combat.start' ? command.body.challenger.userId : command.body.userId;
  return { kind: command.kind, userId, commandId: command.commandId ?? `position-${command.position}` };
}
