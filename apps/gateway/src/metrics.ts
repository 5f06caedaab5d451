import { type Counter, createReporter, durationBuckets, type Histogram, type Logger, type Metrics, type Reporter } from '@skirmish/observability';

/** What happens at the edge: one call writes the log line and counts it. */
const events = {
  'socket-connected': { message: 'a socket connected', level: 'info', labels: ['realm', 'transport'] },
  'socket-disconnected': { message: 'a socket disconnected', level: 'info', labels: ['realm', 'reason'] },
  'connect-refused': { message: 'a connection was refused', level: 'info', labels: ['code'] },
  'player-stale': { message: 'the player could not be read again; an earlier reading has to do', level: 'warn', labels: [] },
  'reread-failed': { message: 'a connected player could not be read again yet', level: 'warn', labels: ['code'] },
  'handshake-refused': { message: 'a handshake was refused', level: 'debug', labels: ['code'] },
  'connection-cut': { message: 'a connection was cut by the packet guard', level: 'warn', labels: ['reason'] },
  'slow-consumer-closed': { message: 'a connection was closed because its client does not read', level: 'info', labels: ['reason', 'transport'] },
  'slow-consumer': { message: 'a client reads too slowly and gets no ephemeral events', level: 'debug', labels: [] },
  'pressure-began': { message: 'the process is overloaded: no new connections, nothing ephemeral', level: 'warn', labels: ['kind'] },
  'pressure-ended': { message: 'the process is no longer overloaded', level: 'warn', labels: ['kind'] },
  'session-closed': { message: 'a session was closed by us', level: 'info', labels: ['code'] },
  'event-refused': { message: 'an event was refused', level: 'debug', labels: ['client_event', 'code'] },
  'event-failed': { message: 'an event handler failed', level: 'error', labels: ['client_event'] },
  'answer-unsendable': { message: 'an answer could not be written', level: 'error', labels: ['client_event'] },
  'rate-uncounted': { message: 'an event was not counted over all gateways, because Redis is away', level: 'debug', labels: ['client_event'] },
  'strikes-unwritten': { message: 'strikes could not be written; what this gateway saw decides', level: 'warn', labels: [] },
  'strikes-dropped': { message: 'strikes of a user were not counted, because too many users have some', level: 'debug', labels: [] },
  'limit-step': { message: 'a user went on above its rates', level: 'info', labels: ['step'] },
  'limit-step-failed': { message: 'what follows from too many strikes could not be done everywhere', level: 'warn', labels: ['step'] },
  'room-joined': { message: 'a socket joined a room', level: 'debug', labels: ['kind'] },
  'room-left': { message: 'a socket left a room', level: 'debug', labels: ['kind'] },
  'position-refused': { message: 'a publication of positions was refused', level: 'warn', labels: ['realm'] },
  'ephemeral-refused': { message: 'an ephemeral event could not be read', level: 'warn', labels: ['realm'] },
  'party-command': { message: 'a command of a party was decided', level: 'debug', labels: ['operation', 'outcome'] },
  'party-unreadable': { message: 'a party cannot be read', level: 'error', labels: [] },
  'party-look-failed': { message: 'the parties could not be looked at', level: 'warn', labels: [] },
  'presence-refused': { message: 'an announcement of presence could not be read', level: 'warn', labels: ['realm'] },
  'presence-failed': { message: 'presence could not be announced yet', level: 'debug', labels: ['realm'] },
  'announcements-dropped': { message: 'too many members of a guild came and went; the newest were not announced', level: 'debug', labels: ['realm'] },
  'mail-delivered': { message: 'mail was delivered', level: 'info', labels: ['realm'] },
  'mail-failed': { message: 'mail could not be delivered', level: 'warn', labels: ['realm'] },
  'sanction-set': { message: 'a user was sanctioned', level: 'info', labels: ['kind'] },
  'sanction-lifted': { message: 'sanctions of a user were lifted', level: 'info', labels: ['kind'] },
  'tokens-revoked': { message: 'a user was logged out everywhere', level: 'info', labels: [] },
  'service-called': { message: 'a backend called the service API', level: 'info', labels: ['operation', 'outcome'] },
  'sockets-over-limit': { message: 'the oldest sockets of a user are closed', level: 'info', labels: ['realm'] },
} as const;

export interface GatewayMetrics {
  /** For parts that bring figures of their own. */
  readonly registry: Metrics;
  readonly report: Reporter<typeof events>;
  /** Time from the arrival of an event to its answer. */
  readonly eventSeconds: Histogram<'event' | 'outcome'>;
  readonly connectSeconds: Histogram;
  readonly ticksPublished: Counter;
  readonly strikes: Counter<'feature'>;
  readonly presenceAnnounced: Counter;
  readonly backendEventsDropped: Counter<'why'>;
  /** Not sent because of pressure. */
  readonly ephemeralDropped: Counter;
}

/** The figures and business events of the edge. */
export function createGatewayMetrics(parts: { readonly logger: Logger; readonly metrics: Metrics; readonly socketCount: () => number }): GatewayMetrics {
  const { logger, metrics, socketCount } = parts;
  metrics.gauge({ name: 'sockets', help: 'Connected sockets', collect: socketCount });
  return {
    registry: metrics,
    report: createReporter({ logger, metrics, events }),
    eventSeconds: metrics.histogram({
      name: 'event_seconds',
      help: 'Time from the arrival of an event to its answer',
      labels: ['event', 'outcome'],
      buckets: durationBuckets,
    }),
    connectSeconds: metrics.histogram({ name: 'connect_seconds', help: 'Time from CONNECT to the welcome', buckets: durationBuckets }),
    ephemeralDropped: metrics.counter({ name: 'ephemeral_dropped_total', help: 'Ephemeral events that were not sent because the process was overloaded' }),
    backendEventsDropped: metrics.counter({ name: 'backend_events_dropped_total', help: 'Backend events that were not written', labels: ['why'] }),
    strikes: metrics.counter({ name: 'strikes_total', help: 'Requests above a rate', labels: ['feature'] }),
    presenceAnnounced: metrics.counter({ name: 'presence_announced_total', help: 'Users whose presence was announced to all gateways' }),
    ticksPublished: metrics.counter({ name: 'zone_publications_total', help: 'Publications of positions to other gateways' }),
  };
}
