import type { BackendEventWriter } from '@skirmish/backend-events';
import type { Database } from '@skirmish/database';
import type { Emitter, PlayerChanges } from '@skirmish/emitter';
import type { RealmId } from '@skirmish/protocol';
import type { LaneProducer } from '@skirmish/queue';
import type { ToldEvents } from './combat/told-events.ts';
import type { CombatReporter } from './metrics.ts';

/** What every step of one realm works with. */
export interface CombatContext {
  readonly realm: RealmId;
  readonly database: Database;
  readonly emitter: Emitter;
  /** Gateways that have read a player before a fight began or ended read it again. */
  readonly changes: Pick<PlayerChanges, 'mark'>;
  readonly backend: BackendEventWriter;
  readonly lanes: LaneProducer<'combat'>;
  readonly report: CombatReporter;
  readonly told: ToldEvents;
  readonly turnTimeoutMs: number;
  readonly nowMs: () => number;
  /** Called at the named places of a step; tests let the process die there. */
  readonly reached: (place: string) => void | Promise<void>;
}
