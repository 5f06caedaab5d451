import type { Sanction } from '@skirmish/database';

/** Whether a sanction counts now; the database has answered when it was read, and that may be a while ago. */
export const isInForce = (sanction: Sanction | null, nowMs = Date.now()): sanction is Sanction =>
  sanction !== null && (sanction.untilMs === null || sanction.untilMs > nowMs);
