import type { LaneCommand, LaneKindOf } from '@skirmish/queue';
import type { CombatContext } from './context.ts';

/** A step: it may run more than once and has one effect. */
export type Job<K extends LaneKindOf<'combat'>> = (context: CombatContext, command: LaneCommand<K>, signal: AbortSignal) => Promise<void>;
