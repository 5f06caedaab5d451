import type { LaneCommand, LaneKindOf } from '@skirmish/queue';
import { act } from './combat/act.ts';
import { start } from './combat/start.ts';
import { timeout } from './combat/timeout.ts';
import type { CombatContext } from './context.ts';
import type { Job } from './job.ts';

/** Everything that a combat worker does, by the kind of command. */
export const jobs = {
  'combat.start': start,
  'combat.act': act,
  'combat.timeout': timeout,
} satisfies { [K in LaneKindOf<'combat'>]: Job<K> };

/** Runs the job of a command. */
export function runJob(context: CombatContext, command: LaneCommand<LaneKindOf<'combat'>>, signal: AbortSignal): Promise<void> {
  switch (command.kind) {
    case 'combat.start':
      return jobs['combat.start'](context, command, signal);
    case 'combat.act':
      return jobs['combat.act'](context, command, signal);
    case 'combat.timeout':
      return jobs['combat.timeout'](context, command, signal);
  }
}
