import type { LaneCommand, LaneKindOf } from '@skirmish/queue';
import { moderate } from './chat/moderate.ts';
import type { ModerationContext } from './context.ts';

/** A step: it may run more than once and has one effect. */
type Job<K extends LaneKindOf<'chat'>> = (context: ModerationContext, command: LaneCommand<K>, signal: AbortSignal) => Promise<void>;

/** Everything that a moderation worker does, by the kind of command. */
export const jobs = {
  'chat.moderate': moderate,
} satisfies { [K in LaneKindOf<'chat'>]: Job<K> };
