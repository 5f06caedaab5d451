import type { Database } from './database.ts';
import { json } from './json.ts';

/** One line of the audit log: who did what to whom. */
export interface AuditLine {
  /** A user id, or the subject of a service token. */
  readonly actor: string;
  /** For example `broadcast`. */
  readonly action: string;
  readonly target: string;
  /** Never a payload or a token. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string;
}

/** Writes one line of the audit log, at once; throws the database's error, so that the caller can refuse what would leave no trace. */
export async function writeAudit(database: Database, { actor, action, target, details, requestId }: AuditLine): Promise<void> {
  await database.db.insertInto('service_audit').values({ actor, action, target, details: json(details), request_id: requestId }).execute();
}
