import type { EventTable, Reporter } from '@skirmish/observability';

/** Everything that the transport of a gateway reports: one log line and one counter each. */
export const transportEvents = {
  'transport:registered': { message: 'incarnation registered', level: 'info', labels: ['realm'] },
  'transport:gap': { message: 'clients may have missed events and are asked to reconnect', level: 'warn', labels: ['realm', 'reason'] },
  'transport:condemned': { message: 'another incarnation was condemned', level: 'warn', labels: ['realm'] },
  'transport:registry-error': { message: 'registry could not be reached', level: 'warn', labels: ['realm', 'what'] },
  'transport:directory-error': { message: 'directory could not be written', level: 'warn', labels: ['realm'] },
  'transport:invalid-entry': { message: 'inbox entry skipped', level: 'error', labels: ['realm'] },
  'transport:handler-error': { message: 'inbox entry could not be delivered', level: 'error', labels: ['realm'] },
  'transport:emit-failed': { message: 'broadcast refused', level: 'error', labels: ['realm', 'cause'] },
  'transport:dropped': { message: 'command without a waiter failed', level: 'warn', labels: ['realm', 'what'] },
} as const satisfies EventTable;

export type ReportTransport = Reporter<typeof transportEvents>;
