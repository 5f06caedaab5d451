import { describe, expect, it } from 'vitest';
import { logLines } from './_log-lines.ts';
import { createMetrics } from './create-metrics.ts';
import { createReporter } from './create-reporter.ts';

const events = {
  'lane-stalled': { message: 'a lane stands still', level: 'warn', labels: ['queue'] },
  'chat:refused': { message: 'a message was refused', level: 'debug', labels: [] },
  resumeServed: { message: 'a resume was served', level: 'info', labels: ['outcome'] },
} as const;

describe('createReporter', () => {
  it('writes the line and the counter in one call', async () => {
    const { logger, lines } = logLines();
    const metrics = createMetrics({ process: 'test', runtime: false });
    const report = createReporter({ logger, metrics, events });
    report('lane-stalled', { queue: 'chat' }, { key: 'k1' });
    report('lane-stalled', { queue: 'chat' });
    report('chat:refused', {}, { userId: 'p1' });
    report('resumeServed', { outcome: 'complete' });
    expect(lines()).toMatchObject([
      { level: 'warn', event: 'lane-stalled', queue: 'chat', key: 'k1', msg: 'a lane stands still' },
      { level: 'warn', event: 'lane-stalled', queue: 'chat' },
      { level: 'debug', event: 'chat:refused', userId: 'p1', msg: 'a message was refused' },
      { level: 'info', event: 'resumeServed', outcome: 'complete' },
    ]);
    const rendered = await metrics.render();
    expect(rendered).toContain('skirmish_lane_stalled_total{queue="chat",process="test"} 2');
    expect(rendered).toContain('skirmish_chat_refused_total{process="test"} 1');
    expect(rendered).toContain('skirmish_resume_served_total{outcome="complete",process="test"} 1');
  });

  it('does not let details take the place of labels or of the name', () => {
    const { logger, lines } = logLines();
    const report = createReporter({ logger, metrics: createMetrics({ process: 'test', runtime: false }), events });
    report('lane-stalled', { queue: 'chat' }, { queue: 'false', event: 'false' });
    expect(lines()[0]).toMatchObject({ queue: 'chat', event: 'lane-stalled' });
  });

  it('has its counters at zero before anything happens', async () => {
    const metrics = createMetrics({ process: 'test', runtime: false });
    createReporter({ logger: logLines().logger, metrics, events });
    expect(await metrics.render()).toContain('skirmish_chat_refused_total{process="test"} 0');
  });

  it('refuses an event that is not in the table', () => {
    const report: (name: never, labels: object) => void = createReporter({
      logger: logLines().logger,
      metrics: createMetrics({ process: 'test', runtime: false }),
      events,
    });
    expect(() => report('unknown' as never, {})).toThrow('there is no event "unknown"');
  });
});
