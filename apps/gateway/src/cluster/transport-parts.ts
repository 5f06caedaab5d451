import type { RouterOptions } from '@skirmish/emitter';
import type { Health, Logger, Metrics } from '@skirmish/observability';
import type { RealmId } from '@skirmish/protocol';
import type { Breaker, RealmKeys, Redis } from '@skirmish/redis';
import { InboxReader } from '@skirmish/redis';
import type { ReportTransport } from './transport-events.ts';

/** The numbers of a transport; the configuration names them in capitals (`RENEW_INTERVAL_MS`, …). */
export interface TransportOptions {
  /** Address that other gateways reach the internal port by, `host:port`. */
  address: string;
  version: string;
  renewIntervalMs: number;
  condemnAfterTicks: number;
  epochGraceMs: number;
  resumeWindowMs: number;
  /** Most events, and most bytes of their JSON, that one resume may bring. */
  resumeEntriesMax: number;
  resumeBytesMax: number;
  inboxRetentionMs: number;
  readBlockMs: number;
  readCoalesceMs: number;
  socketsPerUserMax: number;
}

export interface RealmTransportParts {
  realm: RealmId;
  redisUrl: string;
  options: TransportOptions;
  logger: Logger;
  metrics: Metrics;
  health: Health;
}

/** What the parts of one transport share. */
export interface TransportInside {
  realm: RealmId;
  redisUrl: string;
  options: TransportOptions;
  logger: Logger;
  metrics: Metrics;
  keys: RealmKeys;
  redis: Redis;
  subscriber: Redis;
  /** Of `redis`. */
  breaker: Breaker;
  report: ReportTransport;
}

/** Entries of one read round: a round is delivered in one piece, so it bounds how long others wait. */
export const entriesPerRoundMax = 200;

/** The reader of the own inbox, counting rounds, entries and entries that nobody can use. */
export function createReader(inside: TransportInside, onGap: (reason: 'reader-lag') => void): InboxReader {
  const { options, realm, metrics, report } = inside;
  const entries = metrics.counter({ name: 'inbox_entries_total', help: 'Entries read from the inbox', labels: ['realm'] });
  const rounds = metrics.counter({ name: 'inbox_rounds_total', help: 'Finished read rounds', labels: ['realm'] });
  return new InboxReader({
    blockMs: options.readBlockMs,
    coalesceMs: options.readCoalesceMs,
    entriesMax: entriesPerRoundMax,
    gapAfterMs: 0.75 * options.inboxRetentionMs,
    onGap,
    onInvalid: (id) => { report('transport:invalid-entry', { realm }, { id }); },
    onRound: (count) => {
      rounds.inc({ realm });
      if (count > 0) entries.inc({ realm }, count);
    },
  });
}

/** How this gateway emits, on behalf of its incarnation: the condemned are refused. */
export function routingOf(inside: TransportInside, incarnation: () => string): Omit<RouterOptions, 'retryForMs'> {
  const { realm, redis, metrics, options } = inside;
  const emissions = metrics.counter({ name: 'emissions_total', help: 'Emissions by outcome', labels: ['realm', 'outcome'] });
  return {
    redis,
    realm,
    incarnation,
    logWindowMs: options.resumeWindowMs,
    inboxRetentionMs: options.inboxRetentionMs,
    epochGraceMs: options.epochGraceMs,
    observer: {
      routed: () => { emissions.inc({ realm, outcome: 'routed' }); },
      repeated: () => { emissions.inc({ realm, outcome: 'repeated' }); },
      refused: (reason) => { emissions.inc({ realm, outcome: reason }); },
    },
  };
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Passes on every mistake of a caller, but of an outage one report per second: each emission it costs is counted anyway. */
export function atMostEverySecond(tell: (error: unknown, cause: 'unavailable' | 'payload') => void): typeof tell {
  let told = -Infinity;
  return (error, cause) => {
    const now = performance.now();
    if (cause === 'unavailable' && now - told < 1000) return;
    if (cause === 'unavailable') told = now;
    tell(error, cause);
  };
}
