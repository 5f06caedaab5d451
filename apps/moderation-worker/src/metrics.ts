import { createReporter, type Logger, type Metrics, type Reporter } from '@skirmish/observability';

/** What happens to messages: one call writes the log line and counts it. The text of a message is never among the details. */
const events = {
  'message-delivered': { message: 'a message passed', level: 'debug', labels: ['channel', 'masked'] },
  'message-refused': { message: 'a message was refused', level: 'info', labels: ['channel', 'code'] },
  'message-repeated': { message: 'a message had been judged before and was only told again', level: 'info', labels: ['channel'] },
  'message-dead': { message: 'a message was given up', level: 'error', labels: ['channel'] },
} as const;

export type ModerationReporter = Reporter<typeof events>;

/** The business events of a moderation worker. */
export function createModerationReporter(parts: { readonly logger: Logger; readonly metrics: Metrics }): ModerationReporter {
  return createReporter({ ...parts, events });
}
