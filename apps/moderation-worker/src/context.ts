import type { BackendEventWriter } from '@skirmish/backend-events';
import type { Database } from '@skirmish/database';
import type { Emitter } from '@skirmish/emitter';
import type { RealmId } from '@skirmish/protocol';
import type { ModerationReporter } from './metrics.ts';

/** What every step of one realm works with. */
export interface ModerationContext {
  readonly realm: RealmId;
  readonly database: Database;
  readonly emitter: Emitter;
  readonly backend: BackendEventWriter;
  readonly report: ModerationReporter;
  /** Called at the named places of a step; tests let the process die there. */
  readonly reached: (place: string) => void | Promise<void>;
}
