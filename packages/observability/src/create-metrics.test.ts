import { describe, expect, it } from 'vitest';
import { createMetrics, durationBuckets, type Metrics } from './create-metrics.ts';

const fresh = (seriesMax?: number): Metrics => createMetrics({ process: 'test', runtime: false, ...(seriesMax === undefined ? {} : { seriesMax }) });
const samples = async (metrics: Metrics): Promise<string[]> => (await metrics.render()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('counter', () => {
  it('counts with and without labels, under prefix and process', async () => {
    const metrics = fresh();
    const plain = metrics.counter({ name: 'frames_total', help: 'Frames' });
    plain.inc();
    plain.inc(4);
    const labelled = metrics.counter({ name: 'events_total', help: 'Events', labels: ['event'] });
    labelled.inc({ event: 'chat:send' });
    labelled.inc({ event: 'chat:send' }, 2);
    expect(await samples(metrics)).toEqual([
      'skirmish_frames_total{process="test"} 5',
      'skirmish_events_total{event="chat:send",process="test"} 3',
    ]);
  });

  it('says what it counts', async () => {
    const metrics = fresh();
    metrics.counter({ name: 'frames_total', help: 'Frames of clients' });
    expect(await metrics.render()).toContain('# HELP skirmish_frames_total Frames of clients\n# TYPE skirmish_frames_total counter');
  });
});

describe('gauge', () => {
  it('is set, raised and lowered, with and without labels', async () => {
    const metrics = fresh();
    const plain = metrics.gauge({ name: 'sockets', help: 'Sockets' });
    plain.set(5);
    plain.inc();
    plain.inc(3);
    plain.dec();
    plain.dec(2);
    const labelled = metrics.gauge({ name: 'lanes', help: 'Lanes', labels: ['queue'] });
    labelled.set({ queue: 'chat' }, 5);
    labelled.inc({ queue: 'chat' });
    labelled.inc({ queue: 'chat' }, 3);
    labelled.dec({ queue: 'chat' });
    labelled.dec({ queue: 'chat' }, 2);
    expect(await samples(metrics)).toEqual(['skirmish_sockets{process="test"} 6', 'skirmish_lanes{queue="chat",process="test"} 6']);
  });

  it('asks for its value at each scrape', async () => {
    const metrics = fresh();
    let value = 1;
    metrics.gauge({ name: 'pool', help: 'Pool', collect: () => value });
    expect(await samples(metrics)).toEqual(['skirmish_pool{process="test"} 1']);
    value = 2;
    expect(await samples(metrics)).toEqual(['skirmish_pool{process="test"} 2']);
  });

  it('shows NaN when the question fails and leaves the others alone', async () => {
    const metrics = fresh();
    metrics.counter({ name: 'frames_total', help: 'Frames' }).inc();
    metrics.gauge({ name: 'sync', help: 'x', collect: () => { throw new Error('no'); } });
    metrics.gauge({ name: 'async', help: 'x', collect: () => Promise.reject(new Error('no')) });
    expect(await samples(metrics)).toEqual(['skirmish_frames_total{process="test"} 1', 'skirmish_sync{process="test"} Nan', 'skirmish_async{process="test"} Nan']);
  });
});

describe('histogram', () => {
  it('counts in buckets, with and without labels', async () => {
    const metrics = fresh();
    metrics.histogram({ name: 'plain_seconds', help: 'x', buckets: [1, 2] }).observe(1.5);
    metrics.histogram({ name: 'labelled_seconds', help: 'x', buckets: [1], labels: ['queue'] }).observe({ queue: 'chat' }, 0.5);
    expect(await samples(metrics)).toEqual([
      'skirmish_plain_seconds_bucket{le="1",process="test"} 0',
      'skirmish_plain_seconds_bucket{le="2",process="test"} 1',
      'skirmish_plain_seconds_bucket{le="+Inf",process="test"} 1',
      'skirmish_plain_seconds_sum{process="test"} 1.5',
      'skirmish_plain_seconds_count{process="test"} 1',
      'skirmish_labelled_seconds_bucket{le="1",process="test",queue="chat"} 1',
      'skirmish_labelled_seconds_bucket{le="+Inf",process="test",queue="chat"} 1',
      'skirmish_labelled_seconds_sum{process="test",queue="chat"} 0.5',
      'skirmish_labelled_seconds_count{process="test",queue="chat"} 1',
    ]);
  });

  it('has buckets for durations unless others are given, and at most 12', async () => {
    const metrics = fresh();
    metrics.histogram({ name: 'd_seconds', help: 'x' }).observe(0.003);
    expect(await samples(metrics)).toHaveLength(durationBuckets.length + 3);
    expect(() => metrics.histogram({ name: 'many', help: 'x', buckets: Array.from({ length: 13 }, (_, index) => index) })).toThrow('13 buckets');
  });
});

describe('createMetrics', () => {
  it('answers the same metric for the same name', async () => {
    const metrics = fresh();
    metrics.counter({ name: 'x_total', help: 'x', labels: ['a'] }).inc({ a: '1' });
    metrics.counter({ name: 'x_total', help: 'x', labels: ['a'] }).inc({ a: '1' });
    expect(await samples(metrics)).toEqual(['skirmish_x_total{a="1",process="test"} 2']);
  });

  it('refuses a second metric of that name with another kind or other labels', () => {
    const metrics = fresh();
    metrics.counter({ name: 'x', help: 'x', labels: ['a'] });
    expect(() => metrics.gauge({ name: 'x', help: 'x', labels: ['a'] })).toThrow(TypeError);
    expect(() => metrics.counter({ name: 'x', help: 'x', labels: ['b'] })).toThrow(TypeError);
  });

  it('folds label values beyond the limit into "other" for every kind', async () => {
    const metrics = fresh(1);
    const counter = metrics.counter({ name: 'c_total', help: 'x', labels: ['id'] });
    const gauge = metrics.gauge({ name: 'g', help: 'x', labels: ['id'] });
    const histogram = metrics.histogram({ name: 'h', help: 'x', labels: ['id'], buckets: [1] });
    for (const id of ['a', 'b', 'c']) {
      counter.inc({ id });
      gauge.inc({ id });
      gauge.dec({ id }, 3);
      gauge.set({ id }, 7);
      histogram.observe({ id }, 1);
    }
    const ids = (await samples(metrics)).map((line) => /id="(\w+)"/.exec(line)?.[1]);
    expect([...new Set(ids)]).toEqual(['a', 'other']);
    expect(await samples(metrics)).toContain('skirmish_c_total{id="other",process="test"} 2');
  });

  it('has the metrics of the runtime under their usual names and keeps registries apart', async () => {
    const first = createMetrics({ process: 'one' });
    const second = createMetrics({ process: 'two', prefix: 'other_' });
    second.counter({ name: 'x_total', help: 'x' }).inc();
    expect(await first.render()).toContain('nodejs_eventloop_lag_p99_seconds{process="one"}');
    expect(await first.render()).not.toContain('x_total');
    expect(await second.render()).toContain('other_x_total{process="two"} 1');
    expect(first.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
});
