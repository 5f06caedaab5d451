import { createReporter, type Logger, type Metrics, type Reporter } from '@skirmish/observability';

/** What happens in fights: one call writes the log line and counts it. */
const events = {
  'fight-started': { message: 'a fight has begun', level: 'info', labels: ['realm'] },
  'turn-resolved': { message: 'a turn was resolved', level: 'debug', labels: ['realm', 'action'] },
  'fight-ended': { message: 'a fight is over', level: 'info', labels: ['realm', 'outcome'] },
  'command-refused': { message: 'a command was refused', level: 'debug', labels: ['kind', 'code'] },
  'command-repeated': { message: 'a step was repeated and only told again', level: 'info', labels: ['kind'] },
  'command-dead': { message: 'a command was given up', level: 'error', labels: ['kind'] },
  'timer-late': { message: 'a turn that ran out was found by the sweeper', level: 'warn', labels: ['realm'] },
  'sweep-failed': { message: 'the search for overdue turns failed', level: 'warn', labels: ['realm'] },
} as const;

export type CombatReporter = Reporter<typeof events>;

/** The business events of a combat worker. */
export function createCombatReporter(parts: { readonly logger: Logger; readonly metrics: Metrics }): CombatReporter {
  return createReporter({ ...parts, events });
}
