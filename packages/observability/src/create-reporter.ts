import type { Logger } from './create-logger.ts';
import type { Counter, Metrics } from './create-metrics.ts';
import type { LabelValues } from './label-values.ts';

/** A thing that happens in the business of the process, with everything that its log line and its counter need. */
export interface EventDefinition {
  /** The sentence of the log line and the help of the counter. */
  readonly message: string;
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** Labels of the counter, of low cardinality. */
  readonly labels: readonly string[];
}

export type EventTable = Readonly<Record<string, EventDefinition>>;

/** Reports one event: `labels` go to the counter and the log line, `details` (ids, causes) only to the log line. */
export type Reporter<Table extends EventTable> = <Name extends keyof Table & string>(
  name: Name,
  labels: LabelValues<Table[Name]['labels'][number]>,
  details?: Readonly<Record<string, unknown>>,
) => void;

/** Makes the one call that reports: the event `lane-stalled` writes a line with `event: "lane-stalled"` and counts `…lane_stalled_total`. */
export function createReporter<const Table extends EventTable>(parts: {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly events: Table;
}): Reporter<Table> {
  const { logger, metrics, events } = parts;
  const known = new Map<string, EventDefinition & { readonly counter: Counter<string> }>(
    Object.entries(events).map(([name, event]) => {
      const counter = metrics.counter({ name: counterName(name), help: event.message, labels: event.labels });
      return [name, { ...event, counter }];
    }),
  );
  return (name, labels, details = {}) => {
    const event = known.get(name);
    if (event === undefined) throw new TypeError(`there is no event "${name}" in the table`);
    const { level, message, counter } = event;
    counter.inc(labels);
    const line: Record<string, unknown> = { ...details, ...labels, event: name };
    logger[level](line, message);
  };
}

function counterName(event: string): string {
  return `${event.replaceAll(/[^a-zA-Z0-9]+/g, '_').replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()}_total`;
}
