import { collectDefaultMetrics, Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry } from 'prom-client';
import { createSeriesLimit, type LabelValues } from './label-values.ts';

export interface Counter<Label extends string = never> {
  inc(by?: number): void;
  inc(labels: LabelValues<Label>, by?: number): void;
}

export interface Gauge<Label extends string = never> {
  set(value: number): void;
  set(labels: LabelValues<Label>, value: number): void;
  inc(by?: number): void;
  inc(labels: LabelValues<Label>, by?: number): void;
  dec(by?: number): void;
  dec(labels: LabelValues<Label>, by?: number): void;
}

export interface Histogram<Label extends string = never> {
  observe(value: number): void;
  observe(labels: LabelValues<Label>, value: number): void;
}

export interface MetricDefinition<Label extends string = never> {
  /** Without the prefix, with its unit at the end: `turn_duration_seconds`, `frames_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly Label[];
}

export interface Metrics {
  /** Each helper answers the same metric for the same name; a TypeError when kind or labels differ. */
  counter<const Label extends string = never>(definition: MetricDefinition<Label>): Counter<Label>;
  /** With `collect` the gauge has no labels and asks for its value at each scrape; a throw there shows as NaN. */
  gauge<const Label extends string = never>(definition: MetricDefinition<Label> & { readonly collect?: () => number | Promise<number> }): Gauge<Label>;
  /** Buckets are upper bounds in the metric's own unit, at most 12. */
  histogram<const Label extends string = never>(definition: MetricDefinition<Label> & { readonly buckets?: readonly number[] }): Histogram<Label>;
  /** Everything in the Prometheus text format 0.0.4. */
  render(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Put before each name of our own; the metrics of the Node runtime keep their usual names. */
  readonly prefix?: string;
  /** Role of the process: stands as label `process` on every metric. */
  readonly process: string;
  /** Most combinations of label values per metric; later ones are counted under `other`. Default 200. */
  readonly seriesMax?: number;
  /** Whether the metrics of the Node runtime (event loop, memory, GC) are included. Default true. */
  readonly runtime?: boolean;
}

/** Seconds from a millisecond to ten seconds: fits the way of an event through Redis as well as a slow query. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10] as const;
const bucketsMax = 12;
const eventLoopPrecisionMs = 10;

type Kind = 'counter' | 'gauge' | 'histogram';
type Amount<Label extends string> = [LabelValues<Label> | number | undefined, number | undefined];

/** A registry of its own per call, so that several processes-as-values in one test do not share numbers. */
export function createMetrics({ prefix = 'skirmish_', process, seriesMax = 200, runtime = true }: MetricsOptions): Metrics {
  const registry = new Registry();
  const made = new Map<string, { kind: Kind; labels: string; metric: unknown }>();
  registry.setDefaultLabels({ process });
  if (runtime) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: eventLoopPrecisionMs });

  function once<Metric>(kind: Kind, { name, labels = [] }: MetricDefinition<string>, make: () => Metric): Metric {
    const known = made.get(name);
    const wanted = { kind, labels: labels.join(',') };
    if (known === undefined) {
      const metric = make();
      made.set(name, { ...wanted, metric });
      return metric;
    }
    if (known.kind !== kind || known.labels !== wanted.labels) throw new TypeError(`the metric ${name} exists already with another kind or other labels`);
    return known.metric as Metric;
  }

  function common<Label extends string>({ name, help, labels = [] }: MetricDefinition<Label>): PromDefinition<Label> {
    return { name: `${prefix}${name}`, help, labelNames: [...labels], registers: [registry] };
  }

  return {
    counter: (definition) => once('counter', definition, () => wrapCounter(new PromCounter(common(definition)), limitOf(definition, seriesMax))),
    gauge: (definition) => once('gauge', definition, () => wrapGauge(makeGauge(definition, common(definition)), limitOf(definition, seriesMax))),
    histogram: (definition) =>
      once('histogram', definition, () => {
        const buckets = [...(definition.buckets ?? durationBuckets)];
        if (buckets.length > bucketsMax) throw new RangeError(`${definition.name} has ${buckets.length} buckets, at most ${bucketsMax} are allowed`);
        return wrapHistogram(new PromHistogram({ ...common(definition), buckets }), limitOf(definition, seriesMax));
      }),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

type PromDefinition<Label extends string> = { name: string; help: string; labelNames: Label[]; registers: Registry[] };
type Limit<Label extends string> = (values: LabelValues<Label>) => LabelValues<Label>;

function limitOf<Label extends string>({ labels = [] }: MetricDefinition<Label>, seriesMax: number): Limit<Label> {
  return createSeriesLimit(labels, seriesMax);
}

function makeGauge<Label extends string>(
  { collect }: { readonly collect?: () => number | Promise<number> },
  definition: PromDefinition<Label>,
): PromGauge<Label> {
  if (collect === undefined) return new PromGauge(definition);
  return new PromGauge({
    ...definition,
    async collect() {
      // One broken number must not take the whole scrape away.
      this.set(await Promise.resolve().then(collect).catch(() => Number.NaN));
    },
  });
}

function wrapCounter<Label extends string>(counter: PromCounter<Label>, limit: Limit<Label>): Counter<Label> {
  return {
    inc(...[labels, by]: Partial<Amount<Label>>) {
      if (typeof labels === 'object') counter.inc(limit(labels), by);
      else counter.inc(labels);
    },
  };
}

function wrapGauge<Label extends string>(gauge: PromGauge<Label>, limit: Limit<Label>): Gauge<Label> {
  return {
    set(...[labels, value]: Partial<Amount<Label>>) {
      if (typeof labels === 'object') gauge.set(limit(labels), value ?? Number.NaN);
      else gauge.set(labels ?? Number.NaN);
    },
    inc(...[labels, by]: Partial<Amount<Label>>) {
      if (typeof labels === 'object') gauge.inc(limit(labels), by);
      else gauge.inc(labels);
    },
    dec(...[labels, by]: Partial<Amount<Label>>) {
      if (typeof labels === 'object') gauge.dec(limit(labels), by);
      else gauge.dec(labels);
    },
  };
}

function wrapHistogram<Label extends string>(histogram: PromHistogram<Label>, limit: Limit<Label>): Histogram<Label> {
  return {
    observe(...[labels, value]: Partial<Amount<Label>>) {
      if (typeof labels === 'object') histogram.observe(limit(labels), value ?? Number.NaN);
      else histogram.observe(labels ?? Number.NaN);
    },
  };
}
